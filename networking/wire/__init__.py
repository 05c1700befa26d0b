"""Sans-IO codecs used by both halves: HTTP over h11, Docker's stream frames."""
