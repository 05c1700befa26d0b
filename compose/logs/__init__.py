"""Bytes -> lines -> prefixed, coloured text; many sources, one writer."""
