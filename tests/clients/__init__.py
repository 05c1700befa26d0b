"""Real Docker clients against our engine."""
