"""argv -> request -> operation -> text and exit code; alone may print, prompt and exit."""
