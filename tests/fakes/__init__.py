"""Stand-ins for peers that must misbehave on command."""
