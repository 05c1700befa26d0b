"""develop.watch, its rules and its eyes."""
