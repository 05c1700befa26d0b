"""The one place that knows how to reach the database."""

import os
from pathlib import Path

import psycopg2


def connect():
    """A connection; the password is in the project's secret."""
    return psycopg2.connect(
        host=os.environ.get("DB_HOST", "db"),
        dbname="todo",
        user="todo",
        password=Path("/run/secrets/db_password").read_text().strip(),
        connect_timeout=5,
    )
