"""The daemon half: containers, images, builds, volumes, networks behind the Engine API."""
