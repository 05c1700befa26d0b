"""Images: references, blob store, layers, unpacking."""
