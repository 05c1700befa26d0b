"""A port of a container, and where it is published."""

from __future__ import annotations

from compose.model.record import Record


class Port(Record):
    """One published or exposed port. `published` "" is any free one, or "8000-8010" a range."""

    target: int
    published: str = ""
    protocol: str = "tcp"
    host_ip: str = ""
    mode: str = "ingress"
    name: str = ""
    app_protocol: str = ""
