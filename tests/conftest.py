"""What all tests share: how hypothesis judges."""

from __future__ import annotations

from hypothesis import settings

# On a busy machine a slow example is no fault of the code; what must be fast has a benchmark.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
