"""Projects in layers: up to three files over each other, `!reset` and `!override` at every depth, anchors.

From a seed: `project(Random(seed))`. A value is YAML flow syntax; a piece is a text, a choice of pieces
(tuple), or a function that writes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    Piece = str | tuple["Piece", ...] | Callable[["Writer"], str]

PORTS = ("'80:80'", "'8080:80'", "'127.0.0.1:80:80'", "'80:80/udp'", "81", "'9000-9002:9000-9002'", "{target: 80, published: 80}", "{target: 80, published: '8080', host_ip: 127.0.0.1}", "{target: 80}", "{target: 80, mode: host, name: w}", "'${NUMBER}:80'")  # fmt: skip
MOUNTS = ("'data:/d'", "'./x:/d'", "/d", "'data:/d:ro'", "'./y:/e'", "{type: bind, source: ./z, target: /d}", "{type: volume, source: data, target: /e, read_only: true}", "{type: tmpfs, target: /t, tmpfs: {size: 1m}}", "'more:/m:nocopy'", "'~/h:/h'", "/e/")  # fmt: skip
GRANTS = ("one", "two", "{source: one, target: t}", "{source: one, target: /run/secrets/one}", "{source: two, mode: 0400}")  # fmt: skip


def items(*pieces: Piece, most: int = 3) -> Piece:
    """A list of some of the pieces."""
    return lambda writer: writer.items(pieces, most)


def some(**pieces: Piece) -> Piece:
    """A mapping with some of the keys."""
    return lambda writer: writer.mapping(pieces)


def pairs(*keys: str) -> Piece:
    """NAME=value, as a mapping or as a list."""
    values = ("1", "x", "null", "'${SET}'", "''", "true", "1.5")
    listed = tuple(f"'{key}={value}'" for key in keys for value in ("1", "x", "${SET}"))
    return some(**dict.fromkeys(keys, values)), items(*listed, *keys)


RESOURCES = some(
    limits=some(cpus=("'0.5'", "1"), memory=("1m", "2g"), pids="5"),
    reservations=some(cpus="'0.1'", devices=("[{capabilities: [gpu], count: 1}]", "[{capabilities: [gpu], driver: d}]")),
)  # fmt: skip
SERVICE: Mapping[str, Piece] = {
    "image": ("i", "j", "'k:${SET}'"), "command": ("x", "[a, b]", "null", "'a b'"), "entrypoint": ("e", "[]", "null"),
    "environment": pairs("A", "B", "SET", "UNSET"), "labels": pairs("l.a", "l.b"), "annotations": pairs("n.a", "n.b"), "sysctls": pairs("net.a", "net.b"),
    "ports": items(*PORTS), "volumes": items(*MOUNTS), "secrets": items(*GRANTS), "configs": items(*GRANTS), "expose": items("80", "'81'", "82-83"),
    "healthcheck": some(test=("[CMD, x]", "x", "[NONE]", "[CMD-SHELL, y]"), interval=("5s", "1m30s"), retries=("3", "'4'"), disable=("true", "false"), start_period=("0s", "1s")),
    "depends_on": (items("OTHER", "c"), some(OTHER=("{condition: service_started}", "{condition: service_healthy, required: false}"), c="{condition: service_completed_successfully, restart: true}")),
    "networks": (items("front", "back"), some(front=("null", "{aliases: [x, y]}", "{aliases: [z], priority: 5}", "{ipv4_address: 10.0.0.5}", "{}"), back=("null", "{aliases: [q]}", "{driver_opts: {a: b}}"))),
    "build": (
        ".", "./ctx", "{}",
        some(context=(".", "./c"), args=pairs("A", "B"), labels=pairs("l.a"), target=("t", "u"), tags=items("'x:1'", "'y:2'"), secrets=items(*GRANTS), extra_hosts=items("'h=1.1.1.1'", "'i:2.2.2.2'"),
             cache_from=items("c", "d"), additional_contexts=("{x: ./y}", "[x=./z]"), dockerfile="D", ulimits="{nofile: 5}", platforms=items("linux/amd64", "linux/arm64")),
    ),
    "deploy": some(replicas=("2", "0"), labels=pairs("l.a"), mode="replicated", resources=RESOURCES, restart_policy=("{condition: any}", "{delay: 5s, max_attempts: 2}"),
                   placement=("{constraints: [a==b]}", "{constraints: [c==d], max_replicas_per_node: 1}"), update_config=("{parallelism: 2}", "{order: start-first}")),
    "logging": ("{driver: json-file, options: {a: b}}", "{options: {c: d}}", "{driver: syslog}", "{driver: json-file, options: {a: !override e}}"),
    "ulimits": ("{nofile: 5}", "{nofile: {soft: 1, hard: 2}, nproc: 3}", "{nofile: !reset null}"), "dns": ("1.1.1.1", "[2.2.2.2, 3.3.3.3]"), "dns_search": ("a", "[b]"),
    "tmpfs": ("/t", "[/t, '/u:size=1m']"), "extra_hosts": (items("'h=1.1.1.1'", "'i:2.2.2.2'"), some(h=("1.1.1.1", "[1.1.1.1, 3.3.3.3]"), j="'::1'")),
    "env_file": (".a.env", "[.a.env, .b.env]", "[{path: .b.env, required: false}]", "[{path: .a.env, format: raw}]"), "label_file": ("l.env", "[l.env]"),
    "cap_add": items("A", "B"), "cap_drop": items("ALL"), "devices": items("'/dev/a'", "'/dev/a:/dev/b'", "'/dev/c:/dev/b:r'", "{source: /dev/a, target: /dev/q}"),
    "profiles": items("p", "q"), "restart": ("always", "'no'", "on-failure:3"), "group_add": items("a", "1", most=2), "security_opt": items("'x:y'", "z", most=2), "links": items("OTHER", "'OTHER:c'", most=2),
    "extends": ("{service: OTHER}", "OTHER", "{service: base, file: other.yaml}", "{service: second, file: other.yaml}"), "scale": "2", "stop_grace_period": "5s", "mem_limit": "1m", "storage_opt": "{size: 1g}",
    "blkio_config": ("{weight: 5, weight_device: [{path: /a, weight: 1}]}", "{device_read_bps: [{path: /a, rate: 1m}]}"),
    "develop": some(watch=("[{path: ./s, action: rebuild}]", "[{path: ./t, action: sync, target: /t}]")), "post_start": ("[{command: x}]", "[{command: [y], user: u}]"),
    "tty": ("true", "false"), "network_mode": ("host", "'service:OTHER'"), "x-e": ("{a: 1}", "[1, 2]", "{a: {b: c}}"), "gpus": ("all", "[{count: 1}]", "[{driver: d, device_ids: [a]}]"),
    "use_api_socket": "true", "models": ("[m]", "{m: {endpoint_var: E}}"), "provider": "{type: t, options: {a: b}}", "pull_policy": "always", "user": "u", "hostname": "h", "init": "true",
}  # fmt: skip
#: section -> its keys, what they are at first, what a later file says of them.
SHARED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "networks": (
        ("front", "back"), ("", "{driver: bridge}", "{labels: {a: b}, internal: true}", "{ipam: {config: [{subnet: 10.0.0.0/16}]}}", "{name: n}"),
        ("", "{driver: other}", "{labels: [a=c]}", "{ipam: {config: [{subnet: 10.0.0.0/16, gateway: 10.0.0.1}]}}", "{external: true}", "!override {internal: true}", "!reset null"),
    ),
    "volumes": (("data", "more"), ("", "{driver: local}", "{driver_opts: {o: p}}"), ("", "{labels: [a=b]}", "{driver_opts: {q: r}}", "!override {name: n}", "{external: true}")),
    "secrets": (("one", "two"), ("{file: ./s}", "{environment: SET}"), ("{labels: {a: b}}", "{name: n}", "!override {external: true}", "!override {file: ./o}")),
    "configs": (("one", "two"), ("{file: ./c}", "{content: t}", "{environment: SET}"), ("{labels: {a: b}}", "{name: n}", "!override {content: '${SET}'}")),
    "models": (("m",), ("{model: ai/m}",), ("{context_size: 5}", "!override {model: q}")),
}  # fmt: skip
LINES = ("config --format json",) * 6 + ("config", "config --hash '*'", "--profile '*' config --format json", "config --no-interpolate --format json", "config --no-normalize --format json", "--all-resources config --format json")  # fmt: skip


class Writer:
    """Writes one file of a project."""

    def __init__(self, random: Random, *, over: bool) -> None:
        self._random = random
        self._over = over
        self._other = ""

    def tag(self, share: float) -> str:
        """Sometimes a tag."""
        return self._random.choice(("!reset ", "!override ", "!override ")) if self._random.random() < share else ""  # fmt: skip

    def write(self, piece: Piece) -> str:
        """One text of a piece."""
        while not isinstance(piece, str):
            piece = self._random.choice(piece) if isinstance(piece, tuple) else piece(self)
        return piece.replace("OTHER", self._other)

    def items(self, pieces: tuple[Piece, ...], most: int) -> str:
        """A list."""
        count = self._random.randint(0, most)
        found = [self.tag(0.05) + self.write(self._random.choice(pieces)) for _ in range(count)]
        return f"[{', '.join(found)}]"

    def mapping(self, pieces: Mapping[str, Piece]) -> str:
        """A mapping."""
        keys = self._random.sample([*pieces], min(len(pieces), self._random.randint(0, 3)))
        found = [f"{self.write(key)}: {self.tag(0.12)}{self.write(pieces[key])}" for key in keys]
        return "{" + ", ".join(found) + "}"

    def service(self, name: str, *, anchor: bool) -> str:
        """A service's mapping."""
        self._other = "b" if name == "a" else "a"
        names = self._random.sample([*SERVICE], self._random.randint(0, 5))
        found = [f"{one}: {self.tag(0.12)}{self.write(SERVICE[one])}" for one in names]
        if not self._over and not {"image", "build", "provider"} & set(names):
            found.append("image: i")
        if anchor and self._random.random() < 0.5:
            found.append("<<: *shared")
        return "{" + ", ".join(found) + "}"

    def document(self) -> str:
        """The file."""
        random, lines = self._random, []
        anchor = random.random() < 0.25
        if anchor:
            self._other = "b"
            lines.append(f"x-shared: &shared {self.mapping(SERVICE)}")
        lines.append("services:")
        names = [name for name in "abc" if not self._over or random.random() < 0.6]
        lines += [
            f"  {name}: {self.tag(0.08 if self._over else 0.02)}{self.service(name, anchor=anchor)}"
            for name in names
        ]
        if not names:
            lines[-1] = "services: {}"
        for section, (keys, first, later) in SHARED.items():
            if not self._over or random.random() < 0.4:
                lines.append(f"{section}:")
                lines += [
                    f"  {key}: {random.choice(later if self._over else first)}" for key in keys
                ]
        return "\n".join(lines) + "\n"


def project(random: Random) -> tuple[dict[str, str], str]:
    """(files, command line)."""
    count, line = random.choice((1, 2, 2, 3)), random.choice(LINES)
    texts = [Writer(random, over=number > 0).document() for number in range(count)]
    files = {"l.env": "LF=1\n"}
    if count == 2 and random.random() < 0.2:
        return files | {"compose.yaml": "---\n".join(texts)}, line
    names = ("compose.yaml", "compose.override.yaml", "third.yaml")
    if count == 3:
        line = "-f compose.yaml -f compose.override.yaml -f third.yaml " + line
    return files | dict(zip(names, texts, strict=False)), line
