"""From a compiled spec to a running process in its namespaces."""
