"""The engine's own id, made at its first start: names its cgroups, its nft table and its veths."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.storage.database import Database


def engine_id(database: Database) -> str:
    """Twelve hex digits, the same at every start."""
    rows = database.rows("SELECT value FROM engine WHERE key = 'id'")
    if rows:
        return str(rows[0][0])
    made = secrets.token_hex(6)
    database.execute("INSERT INTO engine (key, value) VALUES ('id', ?)", (made,))
    return made
