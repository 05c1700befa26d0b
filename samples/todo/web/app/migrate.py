"""Brings the database's tables up to date; safe to run again."""

from database import connect

STEPS = (
    "CREATE TABLE item (id serial PRIMARY KEY, text text NOT NULL, done boolean NOT NULL DEFAULT false)",
    "ALTER TABLE item ADD COLUMN added timestamptz NOT NULL DEFAULT now()",
)


def migrate():
    """Run the steps that have not run yet, all or none of them."""
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS migration (step integer PRIMARY KEY)")
        cursor.execute("LOCK TABLE migration")
        cursor.execute("SELECT count(*) FROM migration")
        (done,) = cursor.fetchone()
        for number, step in enumerate(STEPS[done:], start=done):
            cursor.execute(step)
            cursor.execute("INSERT INTO migration VALUES (%s)", (number,))
            print(f"step {number}: {step}")
    print(f"{len(STEPS) - done} of {len(STEPS)} steps were due")


migrate()
