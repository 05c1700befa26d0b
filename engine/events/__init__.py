"""The engine's event bus and its history."""
