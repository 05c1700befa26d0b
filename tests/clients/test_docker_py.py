"""docker-py, a client that is not ours, drives the engine over its socket."""

from __future__ import annotations

import io
import os
import signal
import socket
import tarfile
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import docker
import pytest

if TYPE_CHECKING:
    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_version_and_ping(client: docker.DockerClient) -> None:
    assert client.ping()
    assert client.version()["ApiVersion"] == "1.51"
    assert client.info()["OSType"] == "linux"


def test_run_gives_the_output_and_leaves_nothing(client: docker.DockerClient) -> None:
    said = client.containers.run(
        IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True
    )
    assert sorted(said.split()) == [b"err", b"out"]
    assert client.containers.list(all=True) == []


def test_a_failing_program_tells_its_exit_code(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.ContainerError) as caught:
        client.containers.run(IMAGE, ["sh", "-c", "echo bad >&2; exit 4"], remove=True)
    assert caught.value.exit_status == 4
    assert b"bad" in caught.value.stderr


def test_a_missing_program_is_a_400_with_dockers_words(client: docker.DockerClient) -> None:
    with pytest.raises(
        docker.errors.APIError, match="executable file not found in \\$PATH"
    ) as caught:
        client.containers.run(IMAGE, ["no-such-program"])
    assert caught.value.status_code == 400
    (left,) = client.containers.list(all=True)
    assert left.attrs["State"]["ExitCode"] == 127
    left.remove()


def test_a_missing_image_is_a_404(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get("no/such:image")
    with pytest.raises(docker.errors.APIError) as caught:
        client.api.create_container("no/such:image", "true")
    assert caught.value.status_code == 404


def test_logs_follow_to_the_end_with_times(client: docker.DockerClient) -> None:
    script = "for n in 1 2 3; do echo line $n; done; echo last"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    lines = list(container.logs(stream=True, follow=True, timestamps=True))
    text = b"".join(lines).decode().splitlines()
    assert [line.partition(" ")[2] for line in text] == ["line 1", "line 2", "line 3", "last"]
    assert container.wait()["StatusCode"] == 0
    assert container.logs(tail=1) == b"last\n"
    assert container.logs(tail=0) == b""
    stamp = text[0].partition(" ")[0]
    assert stamp.endswith("Z")
    container.remove()


def test_exec_attach_and_exit_code(client: docker.DockerClient) -> None:
    container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True, environment=["A=1"])
    shown = ["sh", "-c", "echo $HOME ${A-gone} $B"]
    named = client.api.exec_create(container.id, shown, environment=["HOME", "A", "B=2"])["Id"]
    assert client.api.exec_start(named) == b"/ gone 2\n"
    done = container.exec_run(["sh", "-c", "echo in; exit 2"])
    assert (done.exit_code, done.output) == (2, b"in\n")
    assert container.exec_run("no-such-program").exit_code in (126, 127)
    assert any("sleep" in row[-1] for row in container.top()["Processes"])
    container.remove(force=True)


def test_stop_does_not_wait_for_a_program_that_ignores_the_signal(
    client: docker.DockerClient,
) -> None:
    container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True)
    began = time.monotonic()
    container.stop(timeout=30)
    assert time.monotonic() - began < 10
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 137
    container.remove()


def test_stop_lets_a_program_that_listens_finish(client: docker.DockerClient) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    for line in container.logs(stream=True, follow=True):
        assert line == b"up\n"
        break
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 7
    assert container.logs() == b"up\nbye\n"
    container.remove()


def test_names_aliases_and_isolation(client: docker.DockerClient) -> None:
    net = client.networks.create("tests-net")
    other = client.networks.create("tests-other")
    server = client.containers.create(IMAGE, ["sleep", "1000"], name="tests-server")
    net.connect(server, aliases=["nickname"])
    server.start()
    lookup = ["busybox", "nslookup", "-type=a"]
    found = client.containers.run(IMAGE, [*lookup, "nickname"], network="tests-net", remove=True)
    server.reload()
    address = server.attrs["NetworkSettings"]["Networks"]["tests-net"]["IPAddress"]
    assert address.encode() in found
    reach = ["busybox", "ping", "-c1", "-W1", address]
    client.containers.run(IMAGE, reach, network="tests-net", remove=True)
    with pytest.raises(docker.errors.ContainerError):
        client.containers.run(IMAGE, reach, network="tests-other", remove=True)
    with pytest.raises(docker.errors.APIError, match="active endpoints"):
        net.remove()
    server.remove(force=True)
    net.remove()
    other.remove()


def serve(
    client: docker.DockerClient, port: int, **more: object
) -> docker.models.containers.Container:
    script = "mkdir -p /www; echo hello > /www/index.html; exec busybox httpd -f -v -p 80 -h /www"
    return client.containers.run(
        IMAGE, ["sh", "-c", script], ports={"80/tcp": port}, detach=True, **more
    )


def fetch(port: int) -> bytes:
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise


def test_published_ports_and_a_taken_one(client: docker.DockerClient) -> None:
    port = free_port()
    first = serve(client, port)
    assert fetch(port) == b"hello\n"
    with pytest.raises(docker.errors.APIError, match=f"{port} failed: port is already allocated"):
        serve(client, port, name="tests-second")
    client.containers.get("tests-second").remove()
    first.remove(force=True)


def test_an_engine_that_is_killed_is_not_missed(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    port = free_port()
    container = serve(client, port, name="tests-survivor")
    assert fetch(port) == b"hello\n"
    os.kill(own_engine.pid, signal.SIGKILL)
    assert fetch(port) == b"hello\n"
    assert own_engine.command("serve", "--detach").returncode == 0
    container.reload()
    assert container.status == "running"
    assert container.exec_run(["busybox", "echo", "still here"]).output == b"still here\n"
    assert fetch(port) == b"hello\n"
    container.remove(force=True)
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_restart_policies(client: docker.DockerClient) -> None:
    policy = {"Name": "on-failure", "MaximumRetryCount": 2}
    container = client.containers.run(
        IMAGE, ["sh", "-c", "echo try; exit 3"], detach=True, restart_policy=policy
    )
    deaths = 0
    for event in client.events(
        decode=True, since=int(time.time()) - 2, filters={"container": container.id}
    ):
        deaths += event["Action"] == "die"
        if deaths == 3:
            break
    container.reload()
    assert container.attrs["RestartCount"] == 2
    assert container.status == "exited"
    assert container.logs() == b"try\n" * 3
    container.remove()


def test_volumes_take_the_images_content(client: docker.DockerClient) -> None:
    text = "FROM busybox:bench\nRUN mkdir /data && echo kept > /data/file && busybox chown -R 7:8 /data\n"
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag="tests/filled")
    command = ["busybox", "stat", "-c", "%u:%g", "/data", "/data/file"]
    said = client.containers.run(
        image.id, command, volumes={"tests-vol": {"bind": "/data"}}, remove=True
    )
    assert said.split() == [b"7:8", b"7:8"]
    said = client.containers.run(
        IMAGE,
        ["cat", "/seen/file"],
        volumes={"tests-vol": {"bind": "/seen", "mode": "ro"}},
        remove=True,
    )
    assert said == b"kept\n"
    client.volumes.get("tests-vol").remove()
    with pytest.raises(docker.errors.NotFound):
        client.volumes.get("tests-vol")


def test_a_build_uses_its_cache_and_names_a_failing_line(client: docker.DockerClient) -> None:
    text = b'FROM busybox:bench\nRUN echo once\nCMD ["true"]\n'
    first, _ = client.images.build(fileobj=io.BytesIO(text), tag="tests/cached")
    second, log = client.images.build(fileobj=io.BytesIO(text), tag="tests/cached")
    assert first.id == second.id
    assert any("Using cache" in str(line.get("stream")) for line in log)
    with pytest.raises(docker.errors.BuildError, match="returned a non-zero code: 5"):
        client.images.build(fileobj=io.BytesIO(b"FROM busybox:bench\nRUN exit 5\n"))


def test_health_is_seen_early(client: docker.DockerClient) -> None:
    check = {"test": ["CMD", "true"], "interval": 30 * 10**9}
    began = time.monotonic()
    container = client.containers.run(IMAGE, ["sleep", "1000"], detach=True, healthcheck=check)
    for event in client.events(
        decode=True, since=int(time.time()) - 2, filters={"container": container.id}
    ):
        if event["Action"] == "health_status: healthy":
            break
    assert time.monotonic() - began < 15
    container.reload()
    assert container.attrs["State"]["Health"]["Status"] == "healthy"
    container.remove(force=True)


def test_limits_and_privileges_are_the_kernels(client: docker.DockerClient) -> None:
    script = (
        "grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status; busybox id -u; busybox hostname"
    )
    said = client.containers.run(
        IMAGE, ["busybox", "sh", "-c", script.replace("grep", "busybox grep")], remove=True,
        user="65534", hostname="inside", security_opt=["no-new-privileges"], mem_limit="64m", pids_limit=50,
    ).decode().split()  # fmt: skip
    assert said == ["CapEff:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2", "65534", "inside"]
    hog = "x=a; while :; do x=$x$x; done"
    with pytest.raises(docker.errors.ContainerError) as caught:
        client.containers.run(IMAGE, ["sh", "-c", hog], mem_limit="16m", memswap_limit="16m")
    assert caught.value.exit_status == 137
    (left,) = client.containers.list(all=True, filters={"exited": "137"})
    assert left.attrs["State"]["OOMKilled"]
    left.remove()


def tar_of(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("running", [False, True])
def test_files_go_in_and_come_out(client: docker.DockerClient, *, running: bool) -> None:
    script = "ln -s / /out; mkdir -p /deep/er; exec sleep 1000"
    container = client.containers.create(
        IMAGE, ["sh", "-c", script.replace("mkdir", "busybox mkdir").replace("ln", "busybox ln")],
        volumes={"tests-cp": {"bind": "/vol"}},
    )  # fmt: skip
    if running:
        container.start()
    for folder in ("/", "/vol", "/tmp"):
        if folder == "/tmp":
            with pytest.raises(docker.errors.NotFound):
                container.put_archive("/nowhere", tar_of("x", b"x"))
            continue
        assert container.put_archive(folder, tar_of("note", b"written"))
        stream, status = container.get_archive(f"{folder.rstrip('/')}/note")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            (entry,) = archive.getmembers()
            content = archive.extractfile(entry)
            assert content
            assert (entry.name, content.read()) == ("note", b"written")
        assert status["size"] == 7
    container.remove(force=True)
    client.volumes.get("tests-cp").remove()


def test_an_image_is_saved_and_loaded(client: docker.DockerClient) -> None:
    text = b"FROM busybox:bench\nRUN echo kept > /kept\nENV A=b\n"
    client.images.build(fileobj=io.BytesIO(text), tag="tests/moved:1")
    archive = b"".join(client.images.get("tests/moved:1").save(named=True))
    client.images.remove("tests/moved:1")
    (loaded,) = client.images.load(archive)
    assert loaded.tags == ["tests/moved:1"]
    said = client.containers.run("tests/moved:1", ["sh", "-c", "cat /kept; echo $A"], remove=True)
    assert said == b"kept\nb\n"
    again = b"".join(client.images.get("tests/moved:1").save(named=True))
    (same,) = client.images.load(again)
    assert same.id == loaded.id
    client.images.remove("tests/moved:1")
