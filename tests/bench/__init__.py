"""Timings beside a peer in one run: `make bench`, or `python -m tests.bench --help`."""
