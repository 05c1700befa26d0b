"""--format of the listing commands: table, table TEMPLATE, json, TEMPLATE. Pure."""

from __future__ import annotations

from compose.cli.table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

TAB = "\t"


def formatted(
    rows: Sequence[Mapping[str, Any]],
    style: str,
    columns: Mapping[str, str],
    cells: Callable[[Mapping[str, Any]], list[str]],
    count: int | None = None,
) -> str:
    """Rows as text. `columns`: the default table's field -> heading, then those of other fields.

    `cells` gives a row of the default table, which has the first `count` columns. Raises UsageError
    for a bad template.
    """
    if style in ("", "table"):
        headings = [heading for heading in columns.values() if heading.isupper()][:count]
        shown = [cells(row) for row in rows]
        return table([headings[: len(shown[0])] if shown else headings, *shown])
    if style == "json":
        from compose.cli.template import go_json

        return "".join(go_json(dict(row)) + "\n" for row in rows)
    from compose.cli.template import Template, unescape

    is_table = style.startswith("table ")
    template = Template(unescape(style.removeprefix("table ")))
    lines = [template.render(row) for row in rows]
    if not is_table:
        return "".join(line + "\n" for line in lines)
    headings = [columns.get(name, name.upper()) for name in template.fields]
    return table([headings, *(line.split(TAB) for line in lines)])
