"""What a person reads of a wrong project: every fault of it, each in a line with its place and advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.errors import ProjectError
from compose.loader.load import LoadRequest, load_project

if TYPE_CHECKING:
    from pathlib import Path


def faults(folder: Path, text: str, **request: object) -> list[str]:
    """The lines for a project of this one file."""
    (folder / "compose.yaml").write_text(text)
    with pytest.raises(ProjectError) as refused:
        load_project(LoadRequest(working_dir=str(folder), project_name="p", **request))  # type: ignore[arg-type]
    return [line.removeprefix("compose.yaml:") for line in refused.value.lines]


#: service `a`'s attributes -> the lines, each without the file's name.
ATTRIBUTES = [
    # The schema: unknown names, types, choices, what is missing, twice, too large.
    ("imgae: x", ['2:7: services.a.imgae: unknown attribute, did you mean "image"?']),
    ("image: x, enviroment: {A: b}", ['2:17: services.a.enviroment: unknown attribute, did you mean "environment"?']),
    ("image: x, qqq: 1", ["2:17: services.a.qqq: unknown attribute: remove it, or begin its name with x-"]),
    ("image: x, build: {contxt: .}", ['2:25: services.a.build.contxt: unknown attribute, did you mean "context"?']),
    ("image: x, user: 1000", ["2:17: services.a.user: must be a string, not an integer: put it in quotes"]),
    ("image: x, hostname: 2024-01-02", ["2:17: services.a.hostname: must be a string, not a date: put it in quotes"]),
    ("image: x, ports: 80", ["2:17: services.a.ports: must be a list, not an integer: write a list"]),
    ("image: x, hostname: null", ["2:17: services.a.hostname: must be a string, not null: remove it"]),
    ("image: x, command: {a: b}", ["2:17: services.a.command: must be null, a string or a list, not a mapping: write a string or a list"]),
    ("image: x, cgroup: hsot", ['2:17: services.a.cgroup: must be one of host, private, not "hsot", did you mean "host"?']),
    ("image: x, depends_on: {b: {condition: healthy}}", ['2:34: services.a.depends_on.b.condition: must be one of service_started, service_healthy, service_completed_successfully, not "healthy", did you mean "service_healthy"?']),
    ("image: x, ulimits: {nofile: {soft: 1}}", ["2:27: services.a.ulimits.nofile: hard is missing: add it"]),
    ("image: x, profiles: [1, 2]", ["2:28: services.a.profiles[0]: must be a string: put it in quotes", "2:31: services.a.profiles[1]: must be a string: put it in quotes"]),
    ("image: x, security_opt: [o, o]", ['2:17: services.a.security_opt: has the same entry twice, "o": remove one']),
    ("image: x, cpu_percent: 200", ["2:17: services.a.cpu_percent: must be less than or equal to 100, not 200"]),
    ("image: x, cpu_count: -1", ["2:17: services.a.cpu_count: must be greater than or equal to 0, not -1"]),
    ("image: x, container_name: c", ['2:17: services.a.container_name: "c" is not a container\'s name: two or more letters, digits, dots, hyphens and underscores']),
    # What it says in its text.
    ("image: '${A'", ["2:7: services.a.image: invalid interpolation format '${A': close the brace, or write a literal $ as $$"]),
    ("image: '${A:?say which}'", ["2:7: services.a.image: required variable A is missing a value: say which: set A"]),
    ("image: x, tty: maybe", ["2:17: services.a.tty: invalid boolean 'maybe': use true or false"]),
    ("image: x, scale: two", ["2:17: services.a.scale: 'two' is not an integer: give a whole number"]),
    ("image: x, mem_limit: 1q", ["2:17: services.a.mem_limit: invalid size '1q': write it like 512m or 2g"]),
    ("image: x, stop_grace_period: 1x", ["2:17: services.a.stop_grace_period: '1x' is not a duration: write it like 1m30s"]),
    ("image: x, command: \"a 'b\"", ["2:17: services.a.command: a quote or bracket is not closed: close it, or write the command as a list"]),
    ("image: x, ports: ['1:x', 80, '2:y']", ["2:25: services.a.ports[0]: invalid port '1:x': 'x' is no port or range of ports", "2:36: services.a.ports[2]: invalid port '2:y': 'y' is no port or range of ports"]),
    ("image: x, ports: [{published: 1}]", ["2:25: services.a.ports[0]: the port has no target: say the port in the container"]),
    ("image: x, volumes: ['aa:bb:cc:dd']", ["2:27: services.a.volumes[0]: invalid volume 'aa:bb:cc:dd': too many colons"]),
    ("image: x, extra_hosts: [h]", ["2:17: services.a.extra_hosts: 'h' has no address: write it as host=address"]),
    ("image: x, environment: ['A =b']", ["2:17: services.a.environment: variable 'A ' is declared with a trailing space: remove it"]),
    # What it refers to.
    ("image: x, networks: [frnt, nope]", ['2:28: services.a.networks[0]: refers to undefined network frnt, did you mean "front"?', '2:34: services.a.networks[1]: refers to undefined network nope: declare it under "networks:"']),
    ("image: x, volumes: ['dta:/x']", ['2:27: services.a.volumes[0]: refers to undefined volume dta, did you mean "data"?']),
    ("image: x, secrets: [s], configs: [c], models: [m]", ['2:27: services.a.secrets[0]: refers to undefined secret s: declare it under "secrets:"', '2:41: services.a.configs[0]: refers to undefined config c: declare it under "configs:"', '2:54: services.a.models[0]: refers to undefined model m: declare it under "models:"']),
    ("image: x, depends_on: [bb]", ["2:30: services.a.depends_on[0]: depends on undefined service 'bb', did you mean \"b\"?"]),
    ("image: x, links: ['zzz:q'], pid: 'service:yyy'", ["2:25: services.a.links[0]: depends on undefined service 'zzz': define it, or remove this", "2:35: services.a.pid: depends on undefined service 'yyy': define it, or remove this"]),
    ("image: x, depends_on: [off]", ["2:30: services.a.depends_on[0]: depends on 'off', which is disabled: enable a profile (p)"]),
    ("image: x, depends_on: [a]", ["2:30: services.a.depends_on[0]: dependency cycle detected: a -> a: remove one of these dependencies"]),
    ("extends: nope", ["2:7: services.a.extends: service 'nope' not found in compose.yaml: check its name"]),
    ("extends: {file: gone.yaml, service: x}", ["2:17: services.a.extends.file: gone.yaml: no such file: check the path"]),
    ("extends: a", ["2:7: services.a.extends: circular reference: a in compose.yaml -> a in compose.yaml: remove one extends"]),
    ("image: x, env_file: gone.env", ["2:17: services.a.env_file[0]: env file gone.env not found: create it, or say required: false"]),
    # What contradicts itself.
    ("hostname: h", ["2:3: services.a: has neither an image nor a build context: say one of them"]),
    ("image: x, network_mode: host, networks: [front]", ["2:17: services.a.network_mode: network_mode and networks are mutually exclusive: keep one"]),
    ("image: x, scale: 2, container_name: one", ["2:17: services.a.scale: can't be 2 with a container_name, which is unique: remove one of the two"]),
    ("image: x, scale: 2, deploy: {replicas: 3}", ["2:17: services.a.scale: 2 differs from deploy.replicas, 3: keep one"]),
    ("image: x, mem_limit: 1m, deploy: {resources: {limits: {memory: 2m}}}", ["2:17: services.a.mem_limit: differs from deploy.resources.limits.memory: keep one"]),
    ("image: x, container_name: theirs", ["3:7: services.b.container_name: 'theirs' is already the name of service a's container: change one of them"]),
    ("build: {context: ., dockerfile: D, dockerfile_inline: FROM x}", ["2:7: services.a.build: dockerfile and dockerfile_inline are mutually exclusive: keep one"]),
    ("image: x, healthcheck: {test: [curl]}", ['2:31: services.a.healthcheck.test: must begin with "CMD", "CMD-SHELL" or "NONE": add it']),
    ("image: x, tmpfs: [/t], volumes: [/t]", ["2:40: services.a.volumes[0]: target /t is already mounted as tmpfs[0]: remove one of the two"]),
    ("image: x, gpus: [{count: 1, device_ids: ['0']}]", ["2:24: services.a.gpus[0]: count and device_ids are mutually exclusive: keep one"]),
    ("image: x, develop: {watch: [{path: ., action: sync}]}", ["2:35: services.a.develop.watch[0]: target is required for the action sync: say the path in the container"]),
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "lines"), ATTRIBUTES, ids=[one[0] for one in ATTRIBUTES])
def test_an_attribute(tmp_path: Path, attributes: str, lines: list[str]) -> None:
    text = (
        f"services:\n  a: {{{attributes}}}\n"
        "  b: {container_name: theirs, image: x}\n"
        "  off: {image: x, profiles: [p]}\n"
        "networks: {front: }\nvolumes: {data: }\n"
    )
    found = faults(tmp_path, text)
    assert [line.replace(f"{tmp_path}/", "") for line in found] == lines


#: a whole file -> the lines.
FILES = [
    ("services: {a: {image: x}}\nvolumes: {v: {external: true, driver: d}}\n", ["2:31: volumes.v.driver: an external volume takes no other attribute: remove it"]),
    ("services: {a: {image: x}}\nsecrets: {s: {}}\nconfigs: {c: {file: f, content: c}}\n", ["2:11: secrets.s: one of file, environment must be set: add one", "3:11: configs.c: file and content are mutually exclusive: keep one"]),
    ("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [a]}\n", ["4:30: services.c.depends_on[0]: dependency cycle detected: a -> b -> c -> a: remove one of these dependencies"]),
    ("servces: {a: {image: x}}\n", ['1:1: servces: unknown attribute, did you mean "services"?']),
    ("services: {'a b': {image: x}}\n", ["1:12: services.a b: not a valid name: use letters, digits, dots, hyphens and underscores"]),
    ("services:\n  a: {image: x, image: y}\n  b: {tty: 5, image: x}\n1: 2\n", ["2:17: services.a.image: defined before, in line 2: remove one of the two", "3:7: services.b.tty: must be a boolean or a string, not an integer: put it in quotes", "4:1: non-string key at top level: 1: put it in quotes"]),
    ("services:\n\ta: {image: x}\n", ["2:1: a tab as indentation: use spaces"]),
    ("[]\n", ["1:1: the top level must be a mapping: begin with `services:`"]),
    # One mistake is one line: what follows from it is not told.
    ("services: {a: {image: x, networks: [n]}}\nnetworks: {n: {drivr: d}}\n", ['2:16: networks.n.drivr: unknown attribute, did you mean "driver"?']),
    ("services: {a: {image: x, networks: [n]}}\nnetworks: 5\n", ["2:1: networks: must be a mapping, not an integer: write a mapping"]),
    ("services: {a: {image: x, depends_on: [b]}, b: 5}\n", ["1:44: services.b: must be a mapping, not an integer: write a mapping"]),
    ("include: [gone.yaml]\nservices: {a: {image: x, depends_on: [there]}}\n", ["1:11: include[0]: gone.yaml: no such file: check the path"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), FILES)
def test_a_file(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert faults(tmp_path, text) == lines


def test_all_phases_speak_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "compose.override.yaml").write_text(
        "services:\n  a:\n    ports: ['9:x']\n    nope: 1\n"
    )
    text = (
        "services:\n  a:\n    image: x\n    ports: ['1:1', '2:y']\n    tty: maybe\n    networks: [gone]\n"
        "    user: 1\n  b: {image: '${Q:?}', depends_on: [c]}\n"
    )
    assert faults(tmp_path, text) == [
        "4:20: services.a.ports[1]: invalid port '2:y': 'y' is no port or range of ports",
        "5:5: services.a.tty: invalid boolean 'maybe': use true or false",
        '6:16: services.a.networks[0]: refers to undefined network gone: declare it under "networks:"',
        "7:5: services.a.user: must be a string, not an integer: put it in quotes",
        "8:7: services.b.image: required variable Q is missing a value: set Q",
        "8:37: services.b.depends_on[0]: depends on undefined service 'c': define it, or remove this",
        "compose.override.yaml:3:13: services.a.ports[0]: invalid port '9:x': 'x' is no port or range of ports".removeprefix(
            "compose.yaml:"
        ),
        "compose.override.yaml:4:5: services.a.nope: unknown attribute: remove it, or begin its name with x-",
    ]


def test_more_errors_than_anybody_reads_end(tmp_path: Path) -> None:
    services = "".join(f"  s{number}: {{image: x, q{number}: 1}}\n" for number in range(200))
    found = faults(tmp_path, "services:\n" + services)
    assert len(found) == 51
    assert found[-1] == "and 150 more: correct these first"
