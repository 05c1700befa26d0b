"""Runs any graph of steps with trio; knows no Docker."""
