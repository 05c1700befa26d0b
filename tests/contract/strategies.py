"""Project files for the differential properties: what people write, what they mistype, and corners.

A value is a line of YAML flow syntax, so that plain scalars reach both readers as they stand.
pools.txt has a pool of them for each attribute: `+` the reference takes alone, `-` it refuses. A
project is a few services with a few attributes each, right ones mostly.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st


class Pool(NamedTuple):
    """An attribute's values: those that are right alone, and those that are wrong."""

    right: list[str]
    wrong: list[str]


@cache
def pools() -> dict[str, dict[str, Pool]]:
    """section -> attribute -> its values."""
    found: dict[str, dict[str, Pool]] = {}
    pool = Pool([], [])
    for line in Path(__file__).with_name("pools.txt").read_text().splitlines():
        if line.startswith("  "):
            (pool.right if line[2] == "+" else pool.wrong).append(line[4:])
        else:
            section, attribute = line.split()
            pool = found.setdefault(section, {}).setdefault(attribute, Pool([], []))
    return found


KEYS = {"networks": ("front", "back"), "volumes": ("data", "more"), "secrets": ("one", "two"), "configs": ("one", "two"), "models": ("m",)}  # fmt: skip
GOOD = {
    "networks": ("", "{}", "{driver: bridge}"), "volumes": ("", "{}", "{driver: local}"), "secrets": ("{file: ./s}", "{environment: SET}"),
    "configs": ("{file: ./c}", "{content: text}", "{content: 'say ${SET}'}"), "models": ("{model: ai/m}", "{model: ai/m, context_size: 9}"),
}  # fmt: skip
TOPS = (
    "name: proj", "name: Odd.Name", "name: '${SET}'", "version: '3.8'", "x-top: {a: [1, {b: c}]}", "name: ''", "version: 3", "nope: x",
    "name: null", "include: [inc.yaml]", "include: [{path: inc.yaml, env_file: .b.env}]", "include: inc.yaml", "include: []",
    "include: [{path: [inc.yaml, more.yaml]}]", "include: [{path: sub/inc.yaml, project_directory: .}]", "include: [sub/inc.yaml]", "networks: null", "volumes: {}",
)  # fmt: skip
TAGS = ("",) * 8 + ("!reset ", "!override ")

#: Files that lie beside every project.
BESIDE = {
    ".env": "SET=from-dotenv\nEMPTY=\nNUMBER=3\nYES=yes\n",
    ".a.env": "A=1\nB='two words'\nC=\"x\\n$SET\"\n# comment\nexport D=${A}-d\nSET\nUNSET\n",
    ".b.env": "A=again\nE: colon\nF=${UNSET:-fallback} # tail\n",
    "other.yaml": (
        "services:\n  base: {image: base, environment: [Z=1], volumes: ['./rel:/rel'], env_file: .a.env, labels: {l: m}, command: base}\n"
        "  second: {extends: base, build: ./sub, ports: ['1:1']}\n"
    ),
    "inc.yaml": "services:\n  inc: {image: 'inc:${SET}', networks: [front], volumes: ['./r:/r']}\nnetworks: {front: }\n",
    "more.yaml": "services:\n  inc: {command: more, environment: {M: '${SET}'}}\n",
    "sub/.env": "SET=from-sub\nOWN=sub\n",
    "sub/.a.env": "A=sub\n",
    "sub/inc.yaml": "services:\n  low: {image: 'low:${OWN:-none}', env_file: .a.env, build: ./ctx, extends: {service: base, file: ../other.yaml}}\n",
}  # fmt: skip
LINES = ("config --format json",) * 12 + (
    "config", "config", "config --hash '*'", "config --hash '*'", "--profile dev config --format json", "--profile '*' config --format json", "config --format json a",
    "config --no-interpolate --format json", "config --no-normalize --format json", "config --no-path-resolution --format json",
    "config --no-consistency --format json", "config --no-env-resolution --format json", "config --no-interpolate", "config --variables",
    "--all-resources config --format json", "config --services", "config --images", "config --no-consistency --no-normalize", "-p other config --format json",
    "config --volumes", "config --networks", "config --profiles", "config --models", "config -q", "config --format json b a", "config --no-normalize --no-interpolate --no-path-resolution",
)  # fmt: skip


@st.composite
def mapping(
    draw: st.DrawFn, section: str, least: int, most: int, *, wrong: int, tags: bool = False
) -> dict[str, str]:
    """Some attributes of a section; `wrong` of a hundred have a wrong value."""
    known = pools()[section]
    usual = sorted(name for name in known if known[name].right)
    names = draw(st.lists(st.sampled_from(usual), min_size=least, max_size=most, unique=True))
    found = {}
    for name in names:
        pool = known[name]
        values = pool.wrong if pool.wrong and draw(st.integers(0, 99)) < wrong else pool.right
        found[name] = (draw(st.sampled_from(TAGS)) if tags else "") + draw(st.sampled_from(values))
    return found


def flow(attributes: dict[str, str]) -> str:
    """In flow syntax."""
    return "{" + ", ".join(f"{name}: {value}" for name, value in attributes.items()) + "}"


@st.composite
def document(draw: st.DrawFn, *, override: bool, wrong: int) -> str:
    """A file: its services, and the resources that they may use."""
    names = draw(st.sampled_from((("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d"))))
    lines = ["services:"]
    for name in names if not override else names[:2]:
        service = draw(mapping("service", 1, 5, wrong=wrong, tags=override))
        if not override and not {"image", "build", "provider"} & service.keys():
            service = {"image": "i"} | service
        lines.append(f"  {name}: {flow(service)}")
    if not draw(st.integers(0, 4)):
        lines.append(draw(st.sampled_from(TOPS)))
    written = {line.partition(":")[0] for line in lines}
    for section, keys in KEYS.items():
        if section in written or (override and draw(st.booleans())):
            continue
        lines.append(f"{section}:")
        for key in keys[:1] if override else keys:
            value = draw(st.sampled_from(GOOD[section]))
            if not draw(st.integers(0, 5)):
                value = flow(draw(mapping(section, 1, 3, wrong=wrong)))
            lines.append(f"  {key}: {value}")
    return "\n".join(lines) + "\n"


@st.composite
def project(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """(files, command line)."""
    wrong = draw(st.sampled_from((0, 0, 0, 10)))
    files = {"compose.yaml": draw(document(override=False, wrong=wrong))}
    if not draw(st.integers(0, 2)):
        files["compose.override.yaml"] = draw(document(override=True, wrong=wrong))
    return files, draw(st.sampled_from(LINES))


def _quoted(text: str) -> str:
    """A YAML string in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _of(alphabet: str, most: int = 12) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(alphabet), min_size=1, max_size=most).map("".join)


_TEMPLATE = st.lists(
    st.sampled_from(("$", "{", "}", "${", ":-", "-", ":?", "?", ":+", "+", "SET", "UNSET", "EMPTY", "a", " ", "$$", "${SET", "${UNSET:-", "}", "1", "_", "!", ".", "/", "\"")),
    min_size=1, max_size=9,
).map("".join)  # fmt: skip
_WORD = _of("ab \"'\\;&|<>$()`=#*?\t-1", 14)
_PORT = st.lists(st.sampled_from((":", "-", "/", "80", "81", "90", "0", "127.0.0.1", "::1", "[::1]", "tcp", "udp", "x", "65536", " ", "${NUMBER}")), min_size=1, max_size=7).map("".join)  # fmt: skip
_MOUNT = st.lists(st.sampled_from((":", ".", "/", "..", "~", "data", "a", "/b", "ro", "rw", "z", "Z", ",", "nocopy", "rslave", "cached", "C", "\\", " ", "${SET}", "./c", "x")), min_size=1, max_size=8).map("".join)  # fmt: skip
_SIZE = st.lists(st.sampled_from(("1", "5", "0", ".", "-", " ", "k", "m", "G", "b", "ib", "e", "x", "_", "+")), min_size=1, max_size=5).map("".join)  # fmt: skip
_TIME = st.lists(st.sampled_from(("1", "30", "0", ".", "-", " ", "h", "m", "s", "ms", "us", "d", "w", "x", "+", "ns", "µs")), min_size=1, max_size=6).map("".join)  # fmt: skip
_HOST = st.lists(st.sampled_from(("a", "b.c", "=", ":", "[", "]", "::1", "1.2.3.4", ",", "host-gateway", " ")), min_size=1, max_size=6).map("".join)  # fmt: skip
_NAME = _of("aB1_-. /é$", 8)
_ATTRIBUTES = (
    ("hostname: {}", _TEMPLATE), ("environment: [{}]", _TEMPLATE), ("environment: {{A: {}}}", _TEMPLATE), ("command: {}", _WORD),
    ("entrypoint: {}", _TEMPLATE), ("ports: [{}]", _PORT), ("volumes: [{}]", _MOUNT), ("mem_limit: {}", _SIZE), ("shm_size: {}", _SIZE),
    ("stop_grace_period: {}", _TIME), ("extra_hosts: [{}]", _HOST), ("container_name: {}", _NAME), ("image: {}", _NAME), ("devices: [{}]", _MOUNT),
    ("tmpfs: [{}]", _MOUNT), ("build: {}", _MOUNT), ("env_file: {}", _MOUNT), ("scale: {}", _SIZE), ("cpus: {}", _SIZE), ("tty: {}", st.sampled_from(("y", "Y", "on", "On", "n", "0", "1", "TRUE", "True", "off", "OFF", "t", "f", ""))),
    ("pull_policy: {}", _NAME), ("restart: {}", _NAME), ("network_mode: {}", _NAME), ("deploy: {{resources: {{limits: {{memory: {}}}}}}}", _SIZE), ("healthcheck: {{test: x, interval: {}}}", _TIME),
    ("expose: [{}]", _PORT), ("links: [{}]", _HOST), ("volumes_from: [{}]", _HOST), ("ulimits: {{nofile: {}}}", _SIZE), ("blkio_config: {{device_read_bps: [{{path: /x, rate: {}}}]}}", _SIZE),
)  # fmt: skip


@st.composite
def value(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """One service with one odd text."""
    pattern, texts = draw(st.sampled_from(_ATTRIBUTES))
    attribute = pattern.format(_quoted(draw(texts)))
    image = "" if attribute.startswith("image") else "image: i, "
    text = f"services:\n  a: {{{image}{attribute}}}\nvolumes: {{data: , x: }}\n"
    return {"compose.yaml": text}, draw(st.sampled_from(("config --format json", "config")))


@st.composite
def scalars(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """Plain scalars as both read them, and texts as both write them."""
    plain = _of("0123456789_.+-eExobinfaNTZ:~", 9).filter(lambda text: text[-1] != ":" and text.strip("-.") != "" and text not in {"-", "~"} and not text.startswith(("- ", "? ")))  # fmt: skip
    texts = st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=12) | _of(
        "ab :#-?'\"\n\t,[]{}&*!|>%@`\\", 10
    )
    lines = [f"  - {draw(plain)}" for _ in range(15)]
    lines += ["  - " + _json(draw(texts)) for _ in range(15)]
    text = "services: {a: {image: i}}\nx-s:\n" + "\n".join(lines) + "\n"
    return {"compose.yaml": text}, draw(st.sampled_from(("config --format json", "config")))


def _json(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f").replace("\x85", "\\x85").replace("\ufeff", "\\ufeff").replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")  # fmt: skip


_LINE = st.one_of(
    st.sampled_from(("A=1", "export B=2", "C: three", "D='single $A'", 'E="double $A\\n"', "F=$A-${B:-x}", "# note", "", "G", "SET", "H=a # tail", "I=a#b", "J='multi\nline'", "  K=indented", "L = spaced", "M=", "N=''", 'O="a\\"b"', "P=\\$x", "export Q", "R='it\\'s'", "S.T-U=x", "V[0]=y")),
    _of("AB=:'\"$\\{} #\t.x-", 10),
)  # fmt: skip


@st.composite
def dotenv(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """A .env file, seen by --environment or as a service's env_file."""
    text = "\n".join(draw(st.lists(_LINE, min_size=1, max_size=5))) + draw(
        st.sampled_from(("\n", ""))
    )
    compose = "services: {a: {image: i, env_file: own.env}}\n"
    if draw(st.booleans()):
        return {"compose.yaml": "services: {a: {image: i}}\n", ".env": text}, "config --environment"
    return {"compose.yaml": compose, "own.env": text}, "config --format json"


_FOLDERS = ("", "one/", "two/", "one/deep/")
_PATHS = (
    "build: .", "build: ./ctx", "build: ../up", "env_file: e.env", "env_file: ./e.env", "volumes: ['./v:/v']", "volumes: ['../w:/w', 'data:/d']", "volumes: ['~/h:/h']",
    "label_file: e.env", "image: 'img:${TAG:-none}'", "environment: [TAG]", "environment: {WHERE: '${WHERE}'}", "secrets: [key-@]", "configs: [conf-@]", "networks: [net]",
    "develop: {watch: [{path: ./src, action: rebuild}]}", "profiles: [p]", "command: 'run ${WHERE}'", "build: {context: ., additional_contexts: {x: ./y}}",
)  # fmt: skip


@st.composite
def tree(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """Files in folders that include and extend each other, each folder with variables of its own."""
    files: dict[str, str] = {}
    for number, folder in enumerate(_FOLDERS):
        name = folder.strip("/").replace("/", "-") or "top"
        later = _FOLDERS[number + 1 :]
        lines = []
        # From two/ up and over into one/: the reference looks for two/one/.
        reached = later if folder != "two/" else ()
        included = [other for other in reached if not draw(st.integers(0, 2))]
        if included:
            lines.append("include:")
            lines += [f"  - {draw(_include(folder, other))}" for other in included]
        lines.append("services:")
        for letter in ("a", "b"):
            parts = {
                part.partition(":")[0]: part
                for part in draw(st.lists(st.sampled_from(_PATHS), max_size=3))
            }
            if later and not draw(st.integers(0, 3)):
                other = draw(st.sampled_from(later))
                base = other.strip("/").replace("/", "-")
                parts["extends"] = (
                    f"extends: {{file: {_relative(folder, other)}compose.yaml, service: {base}-a}}"
                )
                for key in parts.keys() - {"extends"}:
                    parts[key] = parts[key].replace(": ", f": {draw(st.sampled_from(TAGS))}", 1)
            elif not {"image", "build"} & parts.keys():
                parts["image"] = "image: i"
            lines.append(f"  {name}-{letter}: {{{', '.join(parts.values()).replace('@', name)}}}")
        lines += [
            "volumes: {data: }",
            "networks: {net: }",
            f"secrets: {{key-{name}: {{file: ./key}}}}",
            f"configs: {{conf-{name}: {{file: ./conf}}}}",
        ]
        files[f"{folder}compose.yaml"] = "\n".join(lines) + "\n"
        files[f"{folder}e.env"] = f"FROM={name}\nSEEN=${{TAG:-unseen}}\n"
        if draw(st.booleans()):
            files[f"{folder}.env"] = f"TAG={name}\nWHERE={name}-$TAG\n"
    line = draw(st.sampled_from(("config --format json",) * 4 + ("config --hash '*'", "-f one/compose.yaml config --format json", "-f compose.yaml -f two/compose.yaml config --format json", "--project-directory two config --format json", "--profile p config --format json", "config --no-interpolate --format json", "config --no-path-resolution --format json", "--env-file one/e.env config --format json", "config --environment")))  # fmt: skip
    return files, line


def _relative(folder: str, other: str) -> str:
    import posixpath

    found = posixpath.relpath(f"/{other}", f"/{folder}")
    return "" if found == "." else found + "/"


@st.composite
def _include(draw: st.DrawFn, folder: str, other: str) -> str:
    path = f"{_relative(folder, other)}compose.yaml"
    more = draw(st.sampled_from(("", "", "", f", env_file: {_relative(folder, other)}e.env", ", project_directory: .", f", project_directory: {_relative(folder, other) or '.'}")))  # fmt: skip
    return f"{{path: {path}{more}}}" if more else path
