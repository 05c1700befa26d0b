"""Go templates as --format uses them."""

from __future__ import annotations

import pytest

from compose.cli.formatted import formatted
from compose.cli.template import Row, Template, go_json, unescape
from compose.cli.template_functions import Struct
from compose.errors import UsageError

ROW = Row({
    "Name": "web-1", "State": "running", "Health": "", "ExitCode": 0, "Labels": {"a": "<1>"},
    "Ports": [Struct(URL="", TargetPort=80, Protocol="tcp")],
    "Publishers": [{"TargetPort": 80}, {"TargetPort": 90}],
}, Label=lambda key: {"a": "<1>"}.get(key, ""))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{.Name}}", "web-1"),
        ("{{.Ports}}", "[{ 80 tcp}]"),
        ("{{ .Name }} is {{.State}}", "web-1 is running"),
        ("{{json .Labels}}", '{"a":"\\u003c1\\u003e"}'),
        ("{{.Labels | json}}", '{"a":"\\u003c1\\u003e"}'),
        ("{{upper .Name}}", "WEB-1"),
        ("{{.Name | upper | lower}}", "web-1"),
        ("{{if .Health}}sick{{else}}well{{end}}", "well"),
        ('{{if eq .State "running"}}up{{end}}', "up"),
        ("{{range .Publishers}}[{{.TargetPort}}]{{end}}", "[80][90]"),
        ("{{range .Health}}x{{else}}none{{end}}", "none"),
        ('{{with .Labels}}{{index . "a"}}{{end}}', "<1>"),
        ("a {{- .Name -}} b", "aweb-1b"),
        ("{{.Labels.a}}", "<1>"),
        ("{{.Labels}}", "map[a:<1>]"),
        ('{{printf "%s/%d" .Name .ExitCode}}', "web-1/0"),
        ('{{join (split .Name "-") "+"}}', "web+1"),
        ("{{truncate .Name 3}}", "web"),
        ("{{len .Publishers}}", "2"),
        ("{{/* a comment */}}x", "x"),
        ("{{and .Name .State}}", "running"),
        ("{{not .Health}}", "true"),
        ("plain", "plain"),
        ("{{range $i, $p := .Publishers}}{{$i}}={{$p.TargetPort}};{{end}}", "0=80;1=90;"),
        ("{{range $k, $v := .Labels}}{{$k}}:{{$v}}{{end}}", "a:<1>"),
        ("{{$n := .Name}}{{with .Labels}}{{$n}}{{$.State}}{{end}}", "web-1running"),
        ("{{if .Health}}a{{else if .Name}}b{{else}}c{{end}}", "b"),
        ("{{range $k,$v:=.Labels}}{{$k}}{{$v}}{{end}}", "a<1>"),
        ("{{(index .Publishers 1).TargetPort}}", "90"),
        ('{{.Label "a"}}|{{.Label "b"}}', "<1>|"),
        ('{{printf "%-8s|%5d|%q" .Name 7 .State}}', 'web-1   |    7|"running"'),
        ("{{slice .Name 0 3}}", "web"),
        ("{{if and .Name (not .Health)}}yes{{end}}", "yes"),
        ("{{html (index .Labels `a`)}}", "&lt;1&gt;"),
        ("{{println .Name}}", "web-1\n"),
        ("{{if ge (len .Publishers) 2}}two{{end}}", "two"),
    ],
)
def test_what_templates_say(text: str, shown: str) -> None:
    assert Template(text).render(ROW) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{.Nope}}", 'there is no field "Nope"'),
        ("{{.Name", "unclosed action"),
        ("{{if .Name}}x", "{{end}} is missing"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{frob .Name}}", 'function "frob" not defined'),
        ("{{truncate .Name}}", "truncate"),
        ("{{}}", "a value or a function is missing"),
    ],
)
def test_what_they_cannot_say(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        Template(text).render(ROW)
    assert words in str(error.value)


def test_escapes_of_a_shells_single_quotes() -> None:
    assert unescape(r"a\tb\n\\") == "a\tb\n\\"


def test_formats() -> None:
    columns = {"Name": "NAME", "State": "STATE", "ExitCode": "CODE"}

    def cells(row: object) -> list[str]:
        return [row["Name"], row["State"]]  # type: ignore[index]

    assert formatted([ROW], "table", columns, cells) == ("NAME      STATE\nweb-1     running\n")
    assert formatted([ROW], "{{.Name}}", columns, cells) == "web-1\n"
    assert formatted([ROW], "table {{.ExitCode}}\\t{{.Name}}", columns, cells) == (
        "CODE      NAME\n0         web-1\n"
    )
    assert formatted([ROW], "json", columns, cells) == go_json(ROW) + "\n"


def test_documents_may_lack_a_field() -> None:
    assert Template("{{.State.Nope}}", strict=False).render({"State": {}}) == "<no value>"
