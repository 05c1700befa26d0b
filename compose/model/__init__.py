"""Frozen types of a project, and the graph of its services. No I/O, no Docker."""
