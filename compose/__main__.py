"""`python -m compose` is `pycompose`."""

from compose.cli.main import start

if __name__ == "__main__":
    start()
