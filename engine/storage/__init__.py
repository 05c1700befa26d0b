"""Every path on disk, the database, atomic files."""
