"""Images with a real disk, a real network, real tools."""
