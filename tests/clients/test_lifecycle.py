"""The life of a container as docker-py drives it: states, exit codes, waits, health, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
SLEEP = ["sleep", "1000"]


def state(container: Container) -> dict:
    container.reload()
    return container.attrs["State"]


def post(
    client: docker.DockerClient, path: str, body: object = None, **query: object
) -> tuple[int, str]:
    """A request that docker-py would not make: (status, message)."""
    data = body if isinstance(body, str) else json.dumps(body)
    answer = client.api._post(
        f"{client.api.base_url}/v{client.api._version}{path}", params=query, data=data,
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    document = answer.json() if answer.content else {}
    return answer.status_code, document.get("message", document.get("Id", ""))


@pytest.fixture(autouse=True)
def _alone(client: docker.DockerClient) -> Iterator[None]:
    yield
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)


def test_an_exec_that_meets_the_end_of_its_container_is_told_so(
    client: docker.DockerClient,
) -> None:
    def execs(container: Container) -> set[int]:
        told = set()
        while 409 not in told:
            status, body = post(client, f"/containers/{container.id}/exec", {"Cmd": ["true"]})
            if status == 201:
                status, _ = post(client, f"/exec/{body}/start", {"Detach": True})
            told.add(status)
        return told

    containers = [client.containers.run(IMAGE, ["sleep", "0.2"], detach=True) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for told in pool.map(execs, containers):
            assert told <= {200, 409}, told


def test_every_verb_in_every_state(client: docker.DockerClient) -> None:
    container = client.containers.create(IMAGE, SLEEP, name="tests-verbs")
    at = f"/containers/{container.id}"

    def codes(*verbs: str) -> list[int]:
        return [post(client, f"{at}/{verb}")[0] for verb in verbs]

    assert codes("pause", "unpause", "kill", "stop") == [409, 409, 409, 304]
    assert post(client, f"{at}/exec", {"Cmd": ["true"]})[0] == 409
    assert codes("start", "start", "pause", "pause", "start") == [204, 304, 204, 409, 409]
    assert state(container)["Status"] == "paused"
    assert state(container)["Paused"]
    assert state(container)["Running"]
    assert post(client, f"{at}/exec", {"Cmd": ["true"]})[0] == 409
    assert codes("unpause", "unpause", "restart", "stop?t=0", "stop") == [204, 409, 204, 204, 304]
    assert state(container)["ExitCode"] == 137
    assert codes("restart") == [204]
    assert client.api._delete(client.api._url("/containers/{0}", container.id)).status_code == 409
    container.pause()
    container.kill()
    assert state(container)["Status"] == "exited"
    container.start()
    container.pause()
    container.stop(timeout=0)
    assert (state(container)["Status"], state(container)["ExitCode"]) == ("exited", 137)
    container.remove()
    for verb in ("start", "stop", "kill", "pause", "json", "restart", "wait"):
        assert post(client, f"{at}/{verb}")[0] in (404, 501), verb


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["sh", "-c", "exit 0"], 0, ""),
        (["sh", "-c", "exit 255"], 255, ""),
        (["sh", "-c", "kill -9 $$; :"], 0, ""),  # PID 1 does not hear what it sends itself
        (["sh", "-c", "sh -c 'kill -11 $$'; exit $?"], 139, ""),
        (["/no/such"], 127, "no such file or directory"),
        (["no-such"], 127, "executable file not found"),
        (["/bin"], 126, "is a directory"),
        (["/dev/null"], 126, "permission denied"),
    ],
)
def test_exit_codes_are_dockers(
    client: docker.DockerClient, command: list[str], code: int, words: str
) -> None:
    container = client.containers.create(IMAGE, command)
    if words:
        with pytest.raises(docker.errors.APIError, match=words) as caught:
            container.start()
        assert caught.value.status_code == 400
        assert state(container)["Status"] == "created"
        assert words in state(container)["Error"]
    else:
        container.start()
        assert container.wait()["StatusCode"] == code
    assert state(container)["ExitCode"] == code
    container.remove()


def test_a_signal_from_outside_is_128_and_its_number(client: docker.DockerClient) -> None:
    for script, name, code in (
        ("exec sleep 1000", "KILL", 137),
        ("trap 'exit 3' USR1; echo on; while :; do sleep 0.05; done", "SIGUSR1", 3),
        ("trap 'exit 4' 34; echo on; while :; do sleep 0.05; done", "34", 4),
    ):
        container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
        if "trap" in script:
            assert next(container.logs(stream=True)) == b"on\n"
        container.kill(signal=name)
        assert container.wait(timeout=10)["StatusCode"] == code
        container.remove()
    container = client.containers.run(IMAGE, SLEEP, detach=True, init=True)
    container.stop(timeout=10)
    assert state(container)["ExitCode"] == 143
    container.remove()


def waiting(client: docker.DockerClient, container: Container, how: str) -> Callable[[], int]:
    """A wait that has begun: its answer's head has come. What it gives is the exit code, at last."""
    url = client.api._url("/containers/{0}/wait", container.id)
    answer = client.api._post(url, params={"condition": how}, stream=True)
    return lambda: int(answer.json()["StatusCode"])


def test_waits_of_every_condition(client: docker.DockerClient) -> None:
    container = client.containers.create(IMAGE, ["sh", "-c", "sleep 0.3; exit 6"])
    assert container.wait()["StatusCode"] == 0  # it has never run
    with ThreadPoolExecutor(1) as crowd:
        next_exit = waiting(client, container, "next-exit")
        removed = crowd.submit(waiting(client, container, "removed"))
        container.start()
        assert container.wait(condition="not-running")["StatusCode"] == 6
        assert next_exit() == 6
        assert not removed.done()
        container.remove()
        assert removed.result(20) == 6
    other = client.containers.run(IMAGE, SLEEP, detach=True)
    pending = waiting(client, other, "not-running")
    other.remove(force=True)
    assert pending() == 137
    assert post(client, f"/containers/{other.id}/wait")[0] == 404
    made = client.containers.create(IMAGE, SLEEP)
    assert post(client, f"/containers/{made.id}/wait", condition="soon") == (
        400, 'invalid condition: "soon"',
    )  # fmt: skip
    made.remove()


def test_a_container_that_removes_itself_is_waited_for(client: docker.DockerClient) -> None:
    container = client.containers.create(IMAGE, ["sh", "-c", "exit 5"], auto_remove=True)
    pending = waiting(client, container, "removed")
    container.start()
    assert pending() == 5
    with pytest.raises(docker.errors.NotFound):
        container.reload()


def test_names_are_unique_and_found_by_any_beginning_of_the_id(client: docker.DockerClient) -> None:
    first = client.containers.create(IMAGE, SLEEP, name="tests-first")
    with pytest.raises(docker.errors.APIError, match="is already in use by container") as caught:
        client.containers.create(IMAGE, SLEEP, name="tests-first")
    assert caught.value.status_code == 409
    second = client.containers.create(IMAGE, SLEEP, name="tests-second")
    for name, status in (("tests-first", 409), ("x", 400), ("", 400), ("-odd", 400), ("a b", 400)):
        assert post(client, f"/containers/{second.id}/rename", name=name)[0] == status, name
    second.rename("tests-third")
    assert client.containers.get(second.id[:12]).name == "tests-third"
    assert client.containers.get("/tests-third").id == second.id
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("tests-second")
    first.remove()
    second.remove()


def test_restarts_come_ever_later_and_end_with_the_policy(client: docker.DockerClient) -> None:
    container = client.containers.run(
        IMAGE, ["sh", "-c", "exit 9"], detach=True, restart_policy={"Name": "always"}
    )
    starts: list[int] = []
    for event in client.events(
        decode=True,
        since=int(time.time()) - 2,
        filters={"container": container.id, "event": ["start", "die"]},
    ):
        if event["Action"] == "start":
            starts.append(event["timeNano"])
        elif len(starts) == 5:
            break
    waits = [(later - earlier) / 1e9 for earlier, later in itertools.pairwise(starts)]
    for wait, least in zip(waits, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert wait >= least, waits
    assert waits[3] < 5, waits
    with pytest.raises(docker.errors.APIError, match="is restarting|is not running"):
        container.exec_run("true")
    container.stop()
    assert state(container)["Status"] == "exited"
    time.sleep(2)  # longer than the pause that it was stopped in: it does not come back
    assert state(container)["Status"] == "exited"
    container.remove()


def test_health_is_logged_five_times_and_a_hanging_probe_is_killed(
    client: docker.DockerClient,
) -> None:
    check = {"test": ["CMD-SHELL", "echo look; sh -c 'sleep 600' & sleep 600"],
             "interval": 10**8, "timeout": 3 * 10**8, "retries": 2}  # fmt: skip
    container = client.containers.run(IMAGE, SLEEP, detach=True, healthcheck=check)
    deadline = time.monotonic() + 30
    while (
        len(state(container)["Health"]["Log"]) < 5
        or state(container)["Health"]["Status"] != "unhealthy"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)  # an interval: events tell of the status, not of each probe
    health = state(container)["Health"]
    assert health["FailingStreak"] >= 2
    assert len(health["Log"]) == 5
    assert health["Log"][0]["ExitCode"] == -1
    assert health["Log"][0]["Output"].startswith("Health check exceeded timeout (300ms): look")
    container.update()
    running = [row[-1] for row in container.top()["Processes"]]
    assert sum("sleep 600" in row for row in running) <= 4  # of one probe, never of many
    container.pause()
    time.sleep(0.8)  # a probe that was under way has run into its time
    seen = state(container)["Health"]["Log"][-1]
    time.sleep(0.8)  # longer than an interval and a timeout: no probe comes
    assert state(container)["Health"]["Log"][-1] == seen
    container.unpause()
    container.stop(timeout=0)
    assert state(container)["Health"]["Status"] == "unhealthy"
    container.remove()


BAD = [
    ({"Image": ""}, 404), ({"Image": "no/such:image"}, 404), ([], 400), ("{", 400),
    ({"Cmd": 5}, 400), ({"Env": "A=b", "Cmd": {"a": 1}}, 400),
    ({"HostConfig": {"Memory": 1024}}, 400),
    ({"HostConfig": {"Memory": 64 << 20, "MemorySwap": 32 << 20}}, 400),
    ({"HostConfig": {"NanoCpus": 10**12}}, 400),
    ({"HostConfig": {"CpusetCpus": "0-9999"}}, 400),
    ({"HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}, 400),
    ({"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}, 400),
    ({"HostConfig": {"Binds": ["/a:/b:/c:/d"]}}, 400),
    ({"HostConfig": {"Binds": ["/a:relative"]}}, 400),
    ({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/no/such", "Target": "/t"}]}}, 400),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}}, 400),
    ({"HostConfig": {"LogConfig": {"Type": "splunk"}}}, 501),
    ({"HostConfig": {"CapAdd": ["NO_SUCH"]}}, 400),
    ({"HostConfig": {"Ulimits": [{"Name": "odd", "Soft": 1, "Hard": 1}]}}, 400),
    ({"HostConfig": {"NetworkMode": "container:nobody"}}, 400),  # 404 would mean the image
    ({"HostConfig": {"Dns": ["example.com"]}}, 400),
    ({"HostConfig": {"ExtraHosts": ["db"]}}, 400), ({"HostConfig": {"ExtraHosts": ["db:x"]}}, 400),
    ({"StopSignal": "SIGODD"}, 400), ({"WorkingDir": "relative"}, 400),
    ({"Entrypoint": [""], "Cmd": []}, 400),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    client: docker.DockerClient, own_engine: OwnEngine, body: object, status: int
) -> None:
    volumes = {volume.id for volume in client.volumes.list()}
    asked = (
        {"Image": IMAGE, "Cmd": ["true"], "Volumes": {"/anonymous": {}}, **body}
        if isinstance(body, dict)
        else body
    )
    code, message = post(client, "/containers/create", asked, name="tests-refused")
    assert (code, bool(message)) == (status, True), message
    assert "\n" not in message
    assert client.containers.list(all=True) == []
    assert {volume.id for volume in client.volumes.list()} == volumes
    assert list((own_engine.folder / "root" / "containers").iterdir()) == []


def test_who_is_attached_to_what_cannot_start_hears_nothing_of_lost_output(
    client: docker.DockerClient,
) -> None:
    container = client.containers.create(IMAGE, ["no-such-program"])
    stream = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1})
    try:
        with pytest.raises(docker.errors.APIError, match="executable file not found"):
            container.start()
        assert stream.read() == b""
    finally:
        stream.close()


def test_what_cannot_start_says_why_and_leaves_no_process(
    client: docker.DockerClient,
) -> None:
    tried = set()
    over = "it is a folder, and a file is in its place in the container"
    for options, words, status, code in (
        ({"user": "nobody-of-that-name"}, "unable to find user nobody-of-that-name", 500, 128),
        ({"user": "0:no-such-group"}, "unable to find group no-such-group", 500, 128),
        ({"group_add": ["no-such-group"]}, "unable to find group no-such-group", 500, 128),
        ({"network_mode": "no-such-network"}, "network no-such-network not found", 404, 128),
        ({"sysctls": {"net.no.such": "1"}}, "sysctl", 500, 128),
        (
            {"volumes": ["/tmp:/bin/busybox"]},
            f"cannot mount /tmp to /bin/busybox: {over}",
            400,
            127,
        ),
    ):

        def made(**more: object) -> Container:
            container = client.containers.create(IMAGE, SLEEP, name="tests-unstartable", **more)
            container.start()
            return container

        with pytest.raises(docker.errors.APIError) as caught:
            made(**options)
        assert words in str(caught.value), caught.value
        assert caught.value.status_code == status
        for container in client.containers.list(all=True):
            assert state(container)["Status"] == "created"
            assert state(container)["Error"]
            assert state(container)["ExitCode"] == code
            tried.add(container.id)
            container.remove()
    assert len(tried) == 6
    assert not [
        path for path, _, _ in os.walk("/sys/fs/cgroup") if path.rpartition("/")[2] in tried
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/containers/{id}/kill?signal=ODD", 400), ("/containers/{id}/stop?signal=ODD", 400),
        ("/containers/{id}/stop?t=x", 400), ("/containers/{id}/resize?h=1&w=1", 500),
        ("/containers/{id}/resize", 400), ("/containers/{id}/resize?h=1", 400),
        ("/containers/{id}/attach?detachKeys=x-y", 400), ("/exec/nothing/start", 404),
        ("/containers/{id}/no-such", 501), ("/no/such", 404), ("/swarm/leave", 503),
        ("/containers/{id}/update", 200),
    ],
)  # fmt: skip
def test_nonsense_has_dockers_status(client: docker.DockerClient, path: str, status: int) -> None:
    container = client.containers.run(IMAGE, SLEEP, detach=True)
    code, message = post(client, path.format(id=container.id), {})
    assert code == status, message
    assert message or status == 200
    container.remove(force=True)


def test_thousands_of_log_readers_that_vanish_leave_nothing(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    import socket

    script = "while :; do echo line; sleep 0.01; done"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    engine = Path(f"/proc/{own_engine.pid}/fd")
    before = len(os.listdir(engine))
    folder = os.open(own_engine.run_dir, os.O_PATH)
    for _ in range(10):
        crowd = []
        for _ in range(100):
            reader = socket.socket(socket.AF_UNIX)
            reader.connect(f"/proc/self/fd/{folder}/engine.sock")
            reader.sendall(
                f"GET /containers/{container.id}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: e\r\n\r\n".encode()
            )
            crowd.append(reader)
        for reader in crowd:
            assert reader.recv(1)
            reader.close()
    os.close(folder)
    deadline = time.monotonic() + 20
    while len(os.listdir(engine)) > before + 5:
        assert time.monotonic() < deadline, sorted(map(os.readlink, engine.iterdir()))
        time.sleep(0.05)  # another process closes its descriptors: nothing tells when
    container.reload()
    assert container.status == "running"
    container.remove(force=True)
