"""`pycompose container`: docker's commands for single containers, a module for those that belong together."""
