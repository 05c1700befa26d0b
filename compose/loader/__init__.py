"""Bytes -> Project: a list of phases, each a pure tree -> tree function."""
