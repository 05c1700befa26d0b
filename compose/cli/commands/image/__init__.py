"""`image ...`: docker's commands for images, and our own for making them from packages."""
