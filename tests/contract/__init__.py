"""One suite over our engine and a real Docker Engine: what dockerd answers is right."""
