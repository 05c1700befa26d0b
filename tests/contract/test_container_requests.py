"""`container run`'s and `network create`'s flags make the same requests as docker's own command line does.

Both are pointed at a socket that keeps what it is asked and makes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.peer
ID = "0" * 64


class Keeper(socketserver.ThreadingUnixStreamServer):
    """Answers creations with an id and keeps their bodies."""

    daemon_threads = True
    request_queue_size = 8

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.bodies: list[tuple[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    """The few calls that the two clients make."""

    protocol_version = "HTTP/1.1"
    server: Keeper

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (("Api-Version", "1.50"), ("Ostype", "linux"), ("Content-Type", "application/json")):  # fmt: skip
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.answer(200, {})

    def do_GET(self) -> None:
        self.answer(200, {"OSType": "linux", "Warnings": None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        self.server.bodies.append((self.path.split("/", 2)[2], body))
        self.answer(201, {"Id": ID, "Name": "x", "Warnings": []})


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper(str(tmp_path / "keeper.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the flags below name."""
    (tmp_path / "env").write_text("# comment\nA=1\n\n B=2 \nHOME\nNOT_SET_ANYWHERE\n")
    (tmp_path / "labels").write_text("x=1\ny\n")
    (tmp_path / "profile.json").write_text('{"defaultAction":"SCMP_ACT_ALLOW"}')
    return tmp_path


def asked(keeper: Keeper, folder: Path, words: list[str]) -> tuple[list[Any], list[Any]]:
    """What docker asks, and what we ask."""
    docker = shutil.which("docker")
    assert docker, "docker's command line is installed by `make peers`"
    host = f"unix://{keeper.server_address!s}"
    environment = {**os.environ, "DOCKER_HOST": host, "PYCOMPOSE_HOST": host, "PYTHONPATH": str(HOUSE), "HOME": "/root"}  # fmt: skip
    found = []
    for program in ([docker], [sys.executable, "-m", "compose"]):
        keeper.bodies.clear()
        done = subprocess.run(
            [*program, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (program, done.stderr)
        found.append([(path, plain(body)) for path, body in keeper.bodies])
    # As text: a difference is then shown by the line.
    theirs, ours = (json.dumps(one, indent=1, sort_keys=True).splitlines() for one in found)
    return theirs, ours


#: What docker sends for "not said".
UNSAID = {"ConsoleSize": [0, 0], "MemorySwappiness": -1}


def plain(value: Any) -> Any:
    """Without what says nothing: null, "", 0, false, empty lists and mappings; pools in one order."""
    if isinstance(value, dict):
        kept = {key: plain(one) for key, one in value.items() if key not in UNSAID or UNSAID[key] != one}  # fmt: skip
        if kept.get("Env"):
            kept["Env"] = sorted(kept["Env"])  # docker's go through a mapping
        return {key: one for key, one in kept.items() if one not in (None, "", 0, False, [], {})} or None  # fmt: skip
    if isinstance(value, list):
        found = [plain(one) for one in value]
        return sorted(found, key=str) if found and is_set(found[0]) else found
    return value


def is_set(first: Any) -> bool:
    """Whether a list of such is in no order: docker's objects and binds come out of mappings."""
    return isinstance(first, dict) or (isinstance(first, str) and first.count(":") in (1, 2))


CREATE = [
    "",
    "--name web -i -t -w /w -u 1:2 -h host --domainname d -e A=1 -e HOME -e UNSET_HERE",
    "--env-file env --label-file labels -l z=2 -l bare",
    "--entrypoint sh --stop-signal INT --stop-timeout 3 --init --rm",
    "--entrypoint=",
    "-p 80 -p 8080:80 -p 127.0.0.1:53:53/udp -p 7000-7002:7000-7002 -p [::1]:9:9 --expose 99 --expose 5-6/udp -P",
    "-p 8000-8010:80",
    "-v /a:/b -v data:/d:ro -v /anonymous -v ./rel:/r --tmpfs /t:size=1m --tmpfs /u --read-only",
    "--mount type=bind,src=/a,dst=/b,ro,bind-propagation=rslave --mount type=volume,dst=/v,volume-label=a=b,volume-nocopy",
    "--mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777 --mount source=v,target=/x,volume-subpath=s",
    "--mount type=volume,src=n,dst=/n,volume-driver=local,volume-opt=type=nfs --mount type=bind,source=/q,target=/q,bind-recursive=disabled",
    "--mount type=image,source=busybox,target=/i,image-subpath=etc",
    "--volumes-from a --volumes-from b:ro --volume-driver local",
    "--memory 64m --memory-swap -1 --memory-reservation 32m --memory-swappiness 5 --kernel-memory 0",
    "--cpus 1.5 --cpuset-cpus 0 --cpuset-mems 0 -c 512 --pids-limit 10 --oom-kill-disable --oom-score-adj 5",
    "--cpu-period 1000 --cpu-quota 500 --cpu-rt-period 10 --cpu-rt-runtime 5 --blkio-weight 100",
    "--device /dev/null --device /dev/zero:/dev/z:r --device-cgroup-rule 'c_1:3_rwm' --device-read-bps /dev/sda:1mb",
    "--device-write-iops /dev/sda:5 --blkio-weight-device /dev/sda:90 --shm-size 1g --ulimit nofile=10:20 --ulimit core=0",
    "--gpus all",
    "--gpus device=0",
    "--gpus 2",
    "--cap-add NET_ADMIN --cap-drop ALL --privileged --security-opt no-new-privileges --security-opt seccomp=profile.json",
    "--security-opt systempaths=unconfined --security-opt apparmor=x",
    "--pid host --ipc shareable --uts host --userns host --cgroupns private --cgroup-parent /x --group-add 5",
    "--sysctl net.a=1 --storage-opt size=1g --annotation a=b --runtime runc --isolation default",
    "--log-driver json-file --log-opt max-size=1m --log-opt max-file=2",
    "--restart on-failure:3",
    "--restart unless-stopped",
    "--health-cmd true --health-interval 1s --health-timeout 2s --health-retries 3 --health-start-period 4s --health-start-interval 5s",
    "--no-healthcheck",
    "--dns 1.1.1.1 --dns-option ndots:1 --dns-search x --add-host a:1.2.3.4 --add-host b=::1",
    "--network host",
    "--network n --network-alias a --ip 10.0.0.2 --ip6 fd00::2 --link-local-ip 169.254.1.1 --mac-address 02:42:0a:00:00:01",
    "--network n --network name=m,alias=x,ip=10.0.1.2,driver-opt=a=b,gw-priority=5",
    "--link other:o",
    "-a stdout -a stdin -i",
    "--cidfile cid",
]  # fmt: skip


@pytest.mark.parametrize("flags", CREATE)
def test_container_create(flags: str, keeper: Keeper, folder: Path) -> None:
    words = [word.replace("_", " ").strip("'") if word.startswith("'") else word for word in flags.split()]  # fmt: skip
    if "--kernel-memory" in words:
        del words[words.index("--kernel-memory") :]
    words = ["container", "create", *words, "busybox", "sh", "-c", "x"]
    if "cid" in words:  # each writes its own
        theirs, _ = asked_apart(keeper, folder, words, "cid")
        return
    theirs, ours = asked(keeper, folder, words)
    assert ours == theirs


def asked_apart(keeper: Keeper, folder: Path, words: list[str], name: str) -> tuple[str, str]:
    """Both with an id file of their own; what they wrote."""
    said = []
    for number, program in enumerate(([shutil.which("docker")], [sys.executable, "-m", "compose"])):
        own = [word if word != name else f"{name}{number}" for word in words]
        host = f"unix://{keeper.server_address!s}"
        environment = {**os.environ, "DOCKER_HOST": host, "PYCOMPOSE_HOST": host, "PYTHONPATH": str(HOUSE)}  # fmt: skip
        subprocess.run([*program, *own], cwd=folder, env=environment, capture_output=True, check=True)  # fmt: skip
        said.append((folder / f"{name}{number}").read_text())
    assert said[0] == said[1] == ID
    return said[0], said[1]


@pytest.mark.parametrize(
    "flags",
    [
        "n",
        "-d bridge --internal --attachable --label a=b --label c -o com.docker.network.bridge.name=x n",
        "--subnet 10.9.0.0/16 --gateway 10.9.0.1 --ip-range 10.9.1.0/24 --aux-address a=10.9.0.5 n",
        "--subnet 10.9.0.0/16 --subnet fd00:9::/64 --gateway fd00:9::1 --ipv6 n",
        "--ipv4=false --ipv6 --ipam-driver default --ipam-opt a=b --scope local n",
    ],
)
def test_network_create(flags: str, keeper: Keeper, folder: Path) -> None:
    theirs, ours = asked(keeper, folder, ["network", "create", *flags.split()])
    assert ours == theirs


@pytest.mark.parametrize(
    "words",
    [
        "network connect --alias a,b --ip 10.0.0.2 --ip6 fd00::2 --link x:y --link-local-ip 169.254.0.2 --driver-opt a=b --gw-priority 3 n c",
        "network disconnect -f n c",
        "volume create -d local -o type=tmpfs -o device=tmpfs --label a=b v",
        "container update --memory 64m --cpus 0.5 --restart always --pids-limit 5 c",
        "container rename a b",
    ],
)  # fmt: skip
def test_other_requests(words: str, keeper: Keeper, folder: Path) -> None:
    theirs, ours = asked(keeper, folder, words.split())
    assert ours == theirs
