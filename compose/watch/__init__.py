"""develop.watch: folders of the host -> what has changed in them -> what is to be done about it."""
