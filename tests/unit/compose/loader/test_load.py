"""From files to a project, and mistakes as one line with their place."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compose.errors import ProjectError, UsageError
from compose.loader.load import Loaded, LoadRequest, load_project, resolve_settings, service_hash
from compose.model.graph import ServiceGraph
from compose.operations.config import ConfigRequest, config


def load(folder: Path, text: str, **request: Any) -> Loaded:
    (folder / "compose.yaml").write_text(text)
    return load_project(LoadRequest(working_dir=str(folder), **request))


def test_a_service_in_full(tmp_path: Path) -> None:
    text = """
services:
  web:
    image: x
    command: run 'two words'
    ports: ["127.0.0.1:80:8080"]
    volumes: [data:/d, ./here:/h]
    depends_on: [db]
    mem_limit: 1g
    healthcheck: {test: ok, interval: 1m30s}
    ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}
    secrets: [{source: s, mode: 0400}]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 1g}}}
    networks: {default: {aliases: [w]}}
    post_start: [{command: [a]}]
  db: {image: y, gpus: all, blkio_config: {weight: 5, device_read_bps: [{path: /dev/a, rate: 1k}]}}
volumes: {data: }
secrets: {s: {file: s.txt}}
"""
    project = load(tmp_path, text, project_name="p").project
    web = project.services["web"]
    assert web.command == ("run", "two words")
    assert (web.ports[0].host_ip, web.ports[0].published, web.ports[0].target) == (
        "127.0.0.1",
        "80",
        8080,
    )
    assert web.volumes[1].source == str(tmp_path / "here")
    assert web.mem_limit == 1 << 30
    assert web.healthcheck is not None
    assert (web.healthcheck.test, web.healthcheck.interval) == (("CMD-SHELL", "ok"), 90 * 10**9)
    assert web.ulimits == {"nofile": (1, 2), "nproc": (3, 3)}
    assert (web.secrets[0].target, web.secrets[0].mode) == ("/run/secrets/s", 0o400)
    assert web.deploy is not None
    assert (web.replicas, web.deploy.limit_cpus, web.deploy.limit_memory) == (2, 0.5, 1 << 30)
    assert web.networks["default"].aliases == ("w",)
    assert web.post_start[0].command == ("a",)
    assert project.services["db"].gpus[0].count == -1
    assert project.services["db"].blkio_config is not None
    assert project.services["db"].blkio_config.device_read_bps == (("/dev/a", 1024),)
    assert project.volumes["data"].name == "p_data"
    assert project.networks["default"].name == "p_default"
    assert project.document["services"]["web"] == web.document
    assert ServiceGraph(project.services).ordered() == ["db", "web"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("services: [a: b\n", ("compose.yaml:2:1:", "expected")),
        ("services:\n  a:\n    imagge: x\n", ("compose.yaml:3:5: services.a.imagge:", 'did you mean "image"')),
        ("services:\n\ta: {image: x}\n", ("compose.yaml:2:1", "tab")),
        ("services:\n  a: {image: x, networks: [nowhere]}\n", ("nowhere", "undefined network")),
        ("services:\n  a: {image: x, build: {nope: 1}}\n", ("services.a.build.nope", "unknown")),
        ("services:\n  a: {image: x, tmpfs: {b: c}}\n", ("must be a string or a list",)),
        ("services:\n  a: {image: x, user: 1}\n", ("2:17: services.a.user", "put it in quotes")),
        ("services:\n  a: {image: x, image: y}\n", ("2:17", "line 2")),
        ("services:\n  a: {extends: {file: gone.yaml, service: b}}\n", ("2:17", "gone.yaml")),
        ("include: [gone.yaml]\n", ("compose.yaml:1:11: include[0]", "gone.yaml")),
        ("", ("empty compose file",)),
        ("[]", ("top level must be a mapping",)),
        ("services: {a: {image: '${X:?need it}'}}", ("services.a.image", "need it")),
        (
            "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
            ("cycle", "a -> b -> a"),
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ProjectError) as refused:
        load(tmp_path, text)
    line = str(refused.value)
    assert "\n" not in line
    assert not [word for word in words if word not in line], line


def test_the_file_that_said_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "compose.override.yaml").write_text("services:\n  a:\n    nope: 1\n")
    with pytest.raises(ProjectError, match=r"^compose\.override\.yaml:3:5: services\.a\.nope"):
        load(tmp_path, "services:\n  a: {image: x}\n")


def test_profiles_and_named_services(tmp_path: Path) -> None:
    text = "services: {a: {image: x}, b: {image: x, profiles: [p], depends_on: [a]}, c: {image: x}}"
    assert set(load(tmp_path, text).project.services) == {"a", "c"}
    assert set(load(tmp_path, text, profiles=("p",)).project.services) == {"a", "b", "c"}
    named = load(tmp_path, text, services=("b",)).project
    assert (set(named.services), set(named.disabled)) == ({"a", "b"}, {"c"})


def test_warnings_are_told(tmp_path: Path) -> None:
    loaded = load(tmp_path, "version: '3'\nservices: {a: {image: $NOPE}}", consistency=False)
    assert len(loaded.warnings) == 2
    assert "NOPE" in loaded.warnings[0]
    assert "obsolete" in loaded.warnings[1]


def test_settings_need_no_file(tmp_path: Path) -> None:
    settings = resolve_settings(LoadRequest(working_dir=str(tmp_path), project_name="x"))
    assert (settings.name, settings.files) == ("x", ())
    with pytest.raises(ProjectError, match="no configuration file"):
        load_project(LoadRequest(working_dir=str(tmp_path)))
    with pytest.raises(UsageError, match="invalid project name"):
        resolve_settings(LoadRequest(working_dir=str(tmp_path), project_name="Bad.Name"))


def test_files_are_found_upwards(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "compose.yml").write_text("name: up\nservices: {a: {image: x}}")
    settings = resolve_settings(LoadRequest(working_dir=str(below)))
    assert (settings.name, settings.working_dir) == ("up", str(tmp_path))


def test_the_hash_leaves_out_what_makes_no_difference(tmp_path: Path) -> None:
    plain = load(tmp_path, "services: {a: {image: x}}").project.services["a"]
    more = load(
        tmp_path, "services: {a: {image: x, scale: 3, pull_policy: always}}"
    ).project.services["a"]
    other = load(tmp_path, "services: {a: {image: y}}").project.services["a"]
    assert service_hash(plain) == service_hash(more) != service_hash(other)


def test_what_is_printed_loads_to_the_same(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "contract" / "projects" / "yaml-text" / "compose.yaml"
    first = config(ConfigRequest(LoadRequest(files=(str(source),), project_name="p")))
    (tmp_path / "compose.yaml").write_text(first)
    again = ConfigRequest(LoadRequest(working_dir=str(tmp_path)))
    assert config(again) == first
    as_json = ConfigRequest(again.load, format="json")
    assert json.loads(config(as_json))["name"] == "p"


def test_loading_imports_no_schema_library() -> None:
    script = (
        "import sys, compose.loader.load\n"
        "heavy = {'jsonschema', 'trio', 'httpx', 'compose.model.service'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    house = Path(__file__).parents[4]
    subprocess.run([sys.executable, "-c", script], cwd=house, check=True)


def test_what_newer_versions_add_is_read_or_told(tmp_path: Path) -> None:
    text = (
        "services:\n  a: {image: x, pull_policy: refresh, pull_refresh_after: 90m, build: {no_cache_filter: t},\n"
        "    pre_start: [{command: [x], image: y, per_replica: false}, {command: z}]}\n"
    )
    loaded = load(tmp_path, text)
    service = loaded.project.services["a"]
    assert service.pull_policy == "every_5400s"
    assert service.build is not None
    assert service.build.no_cache_filter == ("t",)
    hooks = [(hook.command, hook.image, hook.per_replica) for hook in service.pre_start]
    assert hooks == [(("x",), "y", False), (("z",), "", True)]
    assert loaded.warnings == ()


def test_a_variable_is_missed_once(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, "services: {a: {image: '$NOPE$NOPE', labels: {b: '$NOPE'}}}", consistency=False
    )
    assert len(loaded.warnings) == 1


def test_a_chain_of_a_thousand_services_loads(tmp_path: Path) -> None:
    lines = [f"  s{n}: {{image: x, depends_on: [s{n - 1}]}}" for n in range(1, 1500)]
    text = "\n".join(["services:", "  s0: {image: x}", *lines, ""])
    assert len(load(tmp_path, text, services=("s1499",)).project.services) == 1500


def test_a_service_that_is_not_there_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match='^no such service: wbe, did you mean "web"'):
        load(tmp_path, "services: {web: {image: x}}", services=("wbe",))


def test_a_mounts_owner_is_not_for_the_short_syntax(tmp_path: Path) -> None:
    text = (
        "services: {a: {image: x, volumes: ['./d:/d:ro,map-owner', './e:/e:ro', './f:/f:cached']}}"
    )
    loaded = load(tmp_path, text)
    (warning,) = loaded.warnings
    assert warning.startswith(
        "services.a.volumes[0]: './d:/d:ro,map-owner': map-owner is not honoured"
    )
    assert "bind: {x-map-owner: true}" in warning
    long = "{type: bind, source: ./d, target: /d, bind: {x-map-owner: true}}"
    loaded = load(tmp_path, f"services: {{a: {{image: x, volumes: [{long}]}}}}")
    assert loaded.warnings == ()
    assert loaded.project.services["a"].volumes[0].bind_map_owner


def test_what_means_something_else_than_it_seems_is_warned_of(tmp_path: Path) -> None:
    text = (
        "services: {a: {image: x, volumes: ['v:/v', 'ww:/w', 'C:/a:/b', '/c']}}\n"
        "volumes: {v: , ww: }\nnetworks: {default: {ipam: {options: {a: b}}}}\n"
    )
    drive, options = load(tmp_path, text).warnings
    assert drive.startswith("services.a.volumes[0]: 'v:/v' reads as a path of Windows")
    assert options == "networks.default.ipam.options is ignored, as docker compose does: remove it"


def test_a_projects_owner_is_for_all_of_its_binds_and_a_binds_own_word_wins(tmp_path: Path) -> None:
    own = "{type: bind, source: ./own, target: /own, bind: {x-map-owner: false}}"
    text = (
        "x-map-owner: ${OWNED:-true}\n"
        f"services: {{a: {{image: x, volumes: ['./d:/d', {own}, 'named:/n', '/anonymous']}}}}\n"
        "volumes: {named: }\n"
    )
    project = load(tmp_path, text).project
    mapped = {mount.target: mount.bind_map_owner for mount in project.services["a"].volumes}
    assert mapped == {"/d": True, "/own": False, "/n": False, "/anonymous": False}
    off = load(tmp_path, text.replace("${OWNED:-true}", "false")).project
    assert not any(mount.bind_map_owner for mount in off.services["a"].volumes)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("x-map-owner: yes please\nservices: {a: {image: x}}", "x-map-owner"),
        (
            "services: {a: {image: x, volumes: [{type: bind, source: /s, target: /t, bind: {x-map-owner: 1}}]}}",
            "services.a.volumes[0].bind.x-map-owner",
        ),
    ],
)
def test_an_owner_that_is_no_yes_or_no_is_refused(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ProjectError, match="must be true or false") as caught:
        load(tmp_path, text)
    assert place in str(caught.value)
