"""Prefixes, colours and who is written where."""

from __future__ import annotations

import io

from compose.logs.palette import COLOURS, PALETTE, Palette
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
    first, second, third = out.getvalue().splitlines()
    assert first.startswith("\x1b[38;5;")
    assert first.endswith("mweb-1  | \x1b[0mx")
    assert second == first.replace("web-1", "web-2")
    assert third.partition("m")[0] != first.partition("m")[0]


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
    colour = Palette(["a"]).colour("a")
    assert out.getvalue() == f"{colour}\r\x1b[Ka-1 exited with code 3\n\x1b[0m"
    plain, text = written()
    plain.register("a-1", "a")
    plain.status("a-1", "exited with code 3")
    assert text.getvalue() == "a-1 exited with code 3\n"


def test_a_service_keeps_its_colour_whichever_are_shown() -> None:
    services = ["api", "cache", "db", "proxy", "web", "worker"]
    everything = Palette(services)
    some = Palette(services)
    assert [some.colour(name) for name in ("web", "db")] == [everything.colour(name) for name in ("web", "db")]  # fmt: skip
    assert len({everything.colour(name) for name in services}) == len(services)
    many = Palette(map(str, range(40)))
    assert {many.colour(str(number)) for number in range(40)} == set(PALETTE)


def luminance(colour: int) -> float:
    """Of one of xterm's 6x6x6 colours; WCAG 2.1, relative luminance."""
    levels = (0, 95, 135, 175, 215, 255)
    place = colour - 16
    parts = [levels[place // 36], levels[place // 6 % 6], levels[place % 6]]
    linear = [(p / 255 / 12.92 if p <= 10 else ((p / 255 + 0.055) / 1.055) ** 2.4) for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_every_colour_is_readable_on_dark_and_on_light() -> None:
    for colour in COLOURS:
        light = 1.05 / (luminance(colour) + 0.05)
        dark = (luminance(colour) + 0.05) / 0.05
        assert min(light, dark) >= 3.5, colour
