"""Documents that `inspect` prints by a template."""

from __future__ import annotations

import pytest

from compose.cli.inspecting import show_documents
from compose.errors import ComposeError, UsageError

DOCUMENTS = [{"Name": "/one", "State": {"Status": "running"}}, {"Name": "/two", "State": {}}]


@pytest.mark.parametrize(
    ("style", "printed"),
    [
        ("{{.Name}} {{.State.Status}}", "/one running\n/two <no value>\n"),
        ("{{if .State.Health}}healthy{{else}}none{{end}}", "none\nnone\n"),
        ("{{.SizeRw}}", "<no value>\n<no value>\n"),
        ("{{with .State}}{{.Status}}{{end}}", "running\n\n"),
    ],
)
def test_what_a_document_may_leave_out_has_no_value(
    capsys: pytest.CaptureFixture[str], style: str, printed: str
) -> None:
    assert show_documents((DOCUMENTS, ()), style) == 0
    assert capsys.readouterr().out == printed


def test_a_typing_mistake_is_told() -> None:
    with pytest.raises(UsageError, match='no field "Nmae": those there are: Name, State'):
        show_documents((DOCUMENTS, ()), "{{.Name}} {{.Nmae}}")


def test_those_that_were_not_found_are_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ComposeError, match="No such container: x"):
        show_documents((DOCUMENTS[:1], ["No such container: x"]), "{{.Name}}")
    assert capsys.readouterr().out == "/one\n"
