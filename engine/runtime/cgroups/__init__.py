"""cgroup limits as pure decisions; drivers for v1/hybrid and v2."""
