"""The sub-commands, a module for those that belong together: flags -> request -> operation."""
