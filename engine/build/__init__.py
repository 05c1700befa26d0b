"""The Dockerfile language, the solve, the cache, and the execution of build steps."""
