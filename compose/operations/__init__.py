"""One use case per file: up, down, ps, logs, exec, run, build, config ..."""
