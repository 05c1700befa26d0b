"""SVG by hand: shapes as text, one style sheet for light and dark. Pure.

Widths of texts are estimates, for nothing here can measure a font: every shape leaves room for one
that is a tenth wider.
"""

from __future__ import annotations

from html import escape

#: One colour a network (stroke, fill in light, fill in dark), over again when they run out.
COLOURS = (
    ("#2563eb", "#dbeafe", "#1e3a8a"), ("#059669", "#d1fae5", "#064e3b"),
    ("#db2777", "#fce7f3", "#831843"), ("#d97706", "#fef3c7", "#78350f"),
    ("#7c3aed", "#ede9fe", "#4c1d95"), ("#0891b2", "#cffafe", "#164e63"),
    ("#65a30d", "#ecfccb", "#365314"), ("#dc2626", "#fee2e2", "#7f1d1d"),
)  # fmt: skip
STATES = {
    "running": "#16a34a", "healthy": "#16a34a", "starting": "#d97706", "created": "#94a3b8",
    "paused": "#d97706", "restarting": "#d97706", "exited": "#64748b", "dead": "#dc2626",
    "unhealthy": "#dc2626", "missing": "#94a3b8",
}  # fmt: skip
STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; fill: #0f172a; }
  .page { fill: #f8fafc; } .card { fill: #ffffff; stroke: #cbd5e1; stroke-width: 1.2; }
  .title { font-size: 15px; font-weight: 600; } .small { font-size: 11px; fill: #64748b; }
  .head { font-size: 18px; font-weight: 600; } .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 11px; }
  .halo { paint-order: stroke; stroke: #f8fafc; stroke-width: 4px; stroke-linejoin: round; }
  .band { fill: #f1f5f9; stroke: #e2e8f0; } .wire { fill: none; stroke-width: 2.2; stroke-linecap: round; }
  .line { fill: none; stroke: #94a3b8; stroke-width: 1.6; } .off { stroke-dasharray: 5 4; opacity: .75; }
  .volume { fill: #fffbeb; stroke: #d6a54a; stroke-width: 1.2; } .mount { fill: none; stroke: #d6a54a; stroke-width: 1.4; stroke-dasharray: 3 4; }
  .port { fill: #0f172a; } .port-text { fill: #f8fafc; font-size: 11px; } .tip { fill: #94a3b8; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e2e8f0; } .page { fill: #0f172a; } .card { fill: #1e293b; stroke: #475569; }
    .small { fill: #94a3b8; } .halo { stroke: #0f172a; } .band { fill: #162032; stroke: #1e293b; }
    .volume { fill: #3b2f14; } .port { fill: #e2e8f0; } .port-text { fill: #0f172a; }
  }
"""


def number(value: float) -> str:
    """A coordinate, as short as it can be."""
    return f"{value:.1f}".removesuffix(".0")


def attributes(values: dict[str, object]) -> str:
    """ " a=1 b=2"; _ stands for -, and a number is a coordinate."""
    return "".join(
        f' {key.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, int | float) else escape(str(value))}"'
        for key, value in values.items()
        if value != ""
    )


def element(name: str, content: str = "", **values: object) -> str:
    """<name a="1">content</name>; the content is markup."""
    given = attributes(values)
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def text(
    x: float, y: float, words: str, kind: str = "", *, text_anchor: str = "", style: str = ""
) -> str:
    """A text, its baseline at y."""
    return element(
        "text", escape(words), x=x, y=y, class_=kind, text_anchor=text_anchor, style=style
    )


def box(x: float, y: float, width: float, height: float, kind: str, radius: float = 8) -> str:
    """A rectangle with round corners."""
    return element("rect", x=x, y=y, width=width, height=height, rx=radius, class_=kind)


def path(steps: str, kind: str, *, stroke: str = "", marker_end: str = "") -> str:
    """A line along steps."""
    return element("path", d=steps, class_=kind, stroke=stroke, marker_end=marker_end)


def cylinder(x: float, y: float, width: float, height: float, kind: str) -> str:
    """A drum, as volumes are drawn."""
    half, arc = width / 2, 5
    shape = (
        f"M{number(x)} {number(y + arc)} a{number(half)} {arc} 0 0 1 {number(width)} 0 "
        f"v{number(height - 2 * arc)} a{number(half)} {arc} 0 0 1 {number(-width)} 0 z "
        f"M{number(x)} {number(y + arc)} a{number(half)} {arc} 0 0 0 {number(width)} 0"
    )
    return path(shape, kind)


def width_of(words: str, size: float = 11) -> float:
    """About how wide a text is."""
    return sum(0.95 if ord(letter) > 0x2E80 else 0.6 for letter in words) * size


def cut(words: str, width: float, size: float = 11) -> str:
    """A text that fits; its middle goes, for both ends say more."""
    most = max(int(width / (0.6 * size)), 4)
    if len(words) <= most:
        return words
    keep = most - 1
    return words[: keep - keep // 2] + "…" + words[len(words) - keep // 2 :]


def document(width: float, height: float, title: str, parts: list[str]) -> str:
    """A whole SVG document."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(width)}" height="{number(height)}" '
        f'viewBox="0 0 {number(width)} {number(height)}" role="img">'
    )
    page = element("rect", width=width, height=height, class_="page")
    body = "\n".join([f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", page, *parts])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{body}\n</svg>\n'
