"""What docker-py sees of containers: stats, top, diff, sizes, filters; and update and commit."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import docker
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"
BUSY = ["sh", "-c", "while :; do :; done"]


@pytest.fixture
def busy(client: docker.DockerClient) -> Iterator[Container]:
    container = client.containers.run(
        IMAGE, BUSY, detach=True, name="tests-busy", labels={"tests": "busy", "one": "1"}
    )
    yield container
    container.remove(force=True)


def test_one_look_has_two_moments(busy: Container) -> None:
    stats = busy.stats(stream=False)
    cpu, before = stats["cpu_stats"], stats["precpu_stats"]
    spent = cpu["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    assert 0 < spent < 3 * 10**9
    assert cpu["system_cpu_usage"] > before["system_cpu_usage"]
    assert stats["memory_stats"]["usage"] > 0
    assert stats["memory_stats"]["limit"] > 1 << 30
    assert stats["networks"]["eth0"]["rx_packets"] >= 0
    assert stats["pids_stats"]["current"] == 1
    assert (stats["name"], stats["id"]) == ("/tests-busy", busy.id)


def test_stats_stream_goes_on_with_zeros_when_it_ends(busy: Container) -> None:
    stream = busy.stats(stream=True, decode=True)
    first = next(stream)
    assert "system_cpu_usage" not in first["precpu_stats"]
    second = next(stream)
    assert second["precpu_stats"] == first["cpu_stats"]
    busy.kill()
    last = next(look for look in stream if look["read"].startswith("0001"))
    assert last["pids_stats"] == {}
    stream.close()


def test_top_takes_the_arguments_of_ps(client: docker.DockerClient, busy: Container) -> None:
    plain = busy.top()
    assert plain["Titles"][:3] == ["UID", "PID", "PPID"]
    assert [row[-1] for row in plain["Processes"]] == [" ".join(BUSY)]
    chosen = busy.top(ps_args="-o pid,stat,cmd")
    assert chosen["Titles"] == ["PID", "STAT", "CMD"]
    assert [row[0] for row in chosen["Processes"]] == [plain["Processes"][0][1]]
    for arguments, words in (("-o cmd", "PID field"), ("--no-such", "ps:")):
        with pytest.raises(docker.errors.APIError, match=words) as caught:
            busy.top(ps_args=arguments)
        assert caught.value.status_code == 400
    busy.kill()
    with pytest.raises(docker.errors.APIError, match="is not running") as caught:
        busy.top()
    assert caught.value.status_code == 409


def test_diff_tells_what_the_container_did(client: docker.DockerClient) -> None:
    text = "FROM busybox:bench\nRUN busybox mkdir /old /gone && echo a > /old/file && echo b > /old/kept\n"
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag="tests/diff")
    script = (
        "echo x >> /old/file; echo y > /new; busybox rm -r /gone; busybox rm -r /old/kept;"
        "busybox mkdir -p /deep/er; busybox rm -r /bin/true; busybox mkdir /bin/true"
    )
    container = client.containers.create(image.id, ["sh", "-c", script], volumes=["/vol"])
    assert container.diff() == []
    container.start()
    assert container.wait()["StatusCode"] == 0
    found = {(change["Kind"], change["Path"]) for change in container.diff()}
    assert found == {
        (0, "/old"), (0, "/old/file"), (2, "/old/kept"), (1, "/new"), (2, "/gone"), (1, "/deep"),
        (1, "/deep/er"), (0, "/bin"), (0, "/bin/true"), (1, "/vol"),
    }  # fmt: skip
    container.remove(v=True)


def test_update_limits_what_runs(client: docker.DockerClient, busy: Container) -> None:
    assert busy.update(mem_limit="64m", memswap_limit="64m", cpu_quota=20_000, cpu_period=100_000)
    busy.update(mem_limit="96m", memswap_limit="96m")
    busy.reload()
    host = busy.attrs["HostConfig"]
    assert (host["Memory"], host["CpuQuota"]) == (96 << 20, 20_000)
    stats = busy.stats(stream=False)
    assert stats["memory_stats"]["limit"] == 96 << 20
    deadline = time.monotonic() + 10
    while not busy.stats(stream=False)["cpu_stats"]["throttling_data"]["throttled_periods"]:
        assert time.monotonic() < deadline
    with pytest.raises(docker.errors.APIError, match="Minimum memory limit allowed is 6MB") as bad:
        busy.update(mem_limit=1 << 20)
    assert bad.value.status_code == 400
    with pytest.raises(docker.errors.APIError, match="already set memoryswap limit"):
        busy.update(mem_limit="128m")
    busy.update(restart_policy={"Name": "on-failure", "MaximumRetryCount": 3})
    busy.reload()
    assert busy.attrs["HostConfig"]["RestartPolicy"]["MaximumRetryCount"] == 3
    busy.update(restart_policy={"Name": "no"})


def test_a_commit_is_an_image_with_one_more_layer(client: docker.DockerClient) -> None:
    script = "echo kept > /kept; busybox rm /bin/true; exec sleep 1000"
    container = client.containers.run(
        IMAGE, ["sh", "-c", script], environment={"A": "b"}, detach=True, name="tests-commit"
    )
    while container.exec_run(["cat", "/kept"]).exit_code:
        pass
    image = container.commit(
        "tests/committed", "one", message="words", author="me",
        changes='CMD ["cat", "/kept"]\nHEALTHCHECK --interval=90s CMD test -e /kept',
    )  # fmt: skip
    container.reload()
    assert container.status == "running"
    assert image.tags == ["tests/committed:one"]
    assert image.attrs["Comment"] == "words"
    assert image.attrs["Author"] == "me"
    assert image.history()[0]["Comment"] == "words"
    probe = image.attrs["Config"]["Healthcheck"]
    assert probe == {"Test": ["CMD-SHELL", "test -e /kept"], "Interval": 90 * 10**9}
    assert client.containers.run("tests/committed:one", remove=True) == b"kept\n"
    said = client.containers.run(
        image.id, ["sh", "-c", "echo $A; ls /bin/true"], stderr=True, detach=True
    )
    said.wait()
    assert b"b\n" in said.logs()
    assert b"No such file" in said.logs()
    said.remove()
    (child,) = client.containers.list(filters={"ancestor": IMAGE, "name": "tests-commit"})
    assert child.id == container.id
    container.remove(force=True)
    client.images.remove("tests/committed:one")


def test_filters_choose_and_nonsense_is_refused(
    client: docker.DockerClient, busy: Container
) -> None:
    ended = client.containers.run(IMAGE, ["sh", "-c", "exit 3"], name="tests-ended", detach=True)
    ended.wait()

    def names(**filters: object) -> list[str]:
        return sorted(c.name for c in client.containers.list(all=True, filters=filters))

    both = ["tests-busy", "tests-ended"]
    assert names(name="tests-") == both
    assert names(name="^/tests-e.d") == ["tests-ended"]
    assert names(exited="3") == ["tests-ended"]
    assert names(status=["running", "exited"]) == both
    assert names(label=["tests=busy", "one"]) == ["tests-busy"]
    assert names(before="tests-ended") == ["tests-busy"]
    assert names(since="tests-busy") == ["tests-ended"]
    assert names(network="bridge", health="none") == both
    assert names(id=busy.id[:20]) == ["tests-busy"]
    assert names(**{"is-task": "true"}) == []
    for filters, status in (
        ({"status": "odd"}, 400), ({"nothing": "x"}, 400), ({"exited": "x"}, 400),
        ({"publish": "x"}, 400), ({"before": "nobody"}, 404),
    ):  # fmt: skip
        with pytest.raises(docker.errors.APIError) as caught:
            client.containers.list(all=True, filters=filters)
        assert caught.value.status_code == status
    with pytest.raises(docker.errors.NotFound):  # also where there is nothing to compare with
        client.containers.list(filters={"since": "nobody", "name": "nothing-of-this-name"})
    sized = client.api.containers(all=True, size=True, filters={"name": "tests-ended"})
    assert sized[0]["SizeRootFs"] > 1_000_000
    with pytest.raises(docker.errors.APIError, match="invalid filter 'status'"):
        client.containers.prune(filters={"status": "exited"})
    assert client.containers.prune(filters={"label": "none"})["ContainersDeleted"] is None
    assert client.containers.prune()["ContainersDeleted"] == [ended.id]


def test_disk_usage_by_kind(client: docker.DockerClient, busy: Container) -> None:
    everything = client.df()
    assert {"Images", "Containers", "Volumes", "BuildCache", "LayersSize"} <= set(everything)
    assert everything["Containers"][0]["Names"] == ["/tests-busy"]
    answer = client.api._get(client.api._url("/system/df"), params={"type": "volume"})
    assert set(answer.json()) == {"Volumes"}
    assert client.api._get(client.api._url("/system/df"), params={"type": "x"}).status_code == 400


def test_events_since_and_until_and_by_filter(client: docker.DockerClient) -> None:
    began = time.time()
    container = client.containers.run(IMAGE, ["true"], detach=True, name="tests-told")
    container.wait()
    container.restart()
    container.wait()
    container.remove()
    found = list(
        client.events(
            since=f"{began:.9f}", until=f"{time.time():.9f}", decode=True,
            filters={"type": "container", "container": "tests-told"},
        )
    )  # fmt: skip
    actions = [event["Action"] for event in found]
    assert actions == ["create", "start", "die", "start", "restart", "die", "destroy"]
    assert found[2]["Actor"]["Attributes"]["exitCode"] == "0"
    assert found[0]["from"] == IMAGE
    odd = client.api._get(client.api._url("/events"), params={"filters": '{"odd": ["x"]}'})
    assert (odd.status_code, odd.json()) == (400, {"message": "invalid filter 'odd'"})
