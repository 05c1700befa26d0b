"""The client half: project file in, Engine API calls and coloured lines out."""
