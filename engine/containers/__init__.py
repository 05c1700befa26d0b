"""Containers: life cycle, registry, operations, restarts, health, logs."""
