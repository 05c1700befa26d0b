"""Prefixes, colours and who is written where."""

from __future__ import annotations

import io

from compose.logs.palette import PALETTE, Palette
from compose.logs.writer import LogWriter


def written(*, colours: bool = False, prefix: bool = True) -> tuple[LogWriter, io.StringIO]:
    out = io.StringIO()
    return LogWriter(out, colours=colours, prefix=prefix), out


def test_prefixes_are_as_wide_as_the_widest() -> None:
    writer, out = written()
    writer.register("web-1", "web")
    writer.register("database-1", "database")
    writer.line("web-1", "hello")
    writer.line("database-1", "ready")
    assert out.getvalue() == "web-1       | hello\ndatabase-1  | ready\n"


def test_without_prefix() -> None:
    writer, out = written(prefix=False)
    writer.register("web-1", "web")
    writer.line("web-1", "hello")
    assert out.getvalue() == "hello\n"


def test_a_colour_for_each_service() -> None:
    writer, out = written(colours=True)
    for source, service in (("web-1", "web"), ("web-2", "web"), ("db-1", "db")):
        writer.register(source, service)
    for source in ("web-1", "web-2", "db-1"):
        writer.line(source, "x")
    assert out.getvalue().splitlines() == [
        "\x1b[36mweb-1  | \x1b[0mx",
        "\x1b[36mweb-2  | \x1b[0mx",
        "\x1b[33mdb-1   | \x1b[0mx",
    ]


def test_errors_go_their_own_way() -> None:
    out, err = io.StringIO(), io.StringIO()
    writer = LogWriter(out, colours=False, prefix=True, err=err)
    writer.register("a-1", "a")
    writer.line("a-1", "good")
    writer.line("a-1", "bad", is_error=True)
    assert (out.getvalue(), err.getvalue()) == ("a-1  | good\n", "a-1  | bad\n")


def test_an_end_is_told_in_the_containers_colour() -> None:
    writer, out = written(colours=True)
    writer.register("a-1", "a")
    writer.status("a-1", "exited with code 3")
    assert out.getvalue() == "\x1b[36m\r\x1b[Ka-1 exited with code 3\n\x1b[0m"
    plain, text = written()
    plain.register("a-1", "a")
    plain.status("a-1", "exited with code 3")
    assert text.getvalue() == "a-1 exited with code 3\n"


def test_the_palette_is_docker_composes() -> None:
    palette = Palette()
    assert [palette.colour(str(n)) for n in range(12)] == [*PALETTE, *PALETTE[:2]]
    assert PALETTE[0] == "\x1b[36m"
    assert PALETTE[5] == "\x1b[36;1m"
    assert palette.colour("3") == PALETTE[3]
