"""Volumes and mounts by docker-py: every kind, their lives, and what is refused."""

from __future__ import annotations

import io
import os
import select
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from docker.types import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_engine import OwnEngine

pytestmark = [
    pytest.mark.root,
    # docker-py leaves the sockets of its streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "busybox:bench"


def run(client: docker.DockerClient, script: str, **more: object) -> str:
    return client.containers.run(IMAGE, ["sh", "-c", script], remove=True, **more).decode()


def raw_mount(**fields: object) -> dict[str, object]:
    """A mount that docker-py has no words for."""
    return Mount("/t", None) | fields


def mounted(engine: OwnEngine) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if str(engine.folder) in line]


def test_a_tmpfs_volume_lives_while_a_container_uses_it(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=700"}
    volume = client.volumes.create("tests-tmpfs", driver_opts=options)
    assert volume.attrs["Options"] == options
    assert mounted(own_engine) == []
    at = {"tests-tmpfs": {"bind": "/t"}}
    first = client.containers.run(
        IMAGE, ["sh", "-c", "echo shared > /t/f; exec sleep 1000"], volumes=at, detach=True
    )
    assert len(mounted(own_engine)) == 1
    while first.exec_run(["cat", "/t/f"]).exit_code:
        pass
    assert run(client, "cat /t/f; busybox df -k /t | busybox tail -1", volumes=at).split()[:3] == [
        "shared", "tmpfs", "1024",
    ]  # fmt: skip
    os.kill(own_engine.pid, 9)
    assert own_engine.command("serve", "--detach").returncode == 0
    assert run(client, "cat /t/f", volumes=at) == "shared\n"
    first.remove(force=True)
    with open("/proc/self/mountinfo") as table:
        changes = select.poll()
        changes.register(table, select.POLLPRI)  # at each change of the table (proc(5))
        while mounted(own_engine):
            assert changes.poll(5000), mounted(own_engine)
    assert run(client, "ls /t", volumes=at) == ""
    volume.remove()


def test_a_bind_volume_is_the_folder_itself(client: docker.DockerClient, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("host\n")
    made = {"type": "none", "device": str(tmp_path), "o": "bind,ro"}
    volume = client.volumes.create("tests-bind", driver_opts=made)
    at = {"tests-bind": {"bind": "/t"}}
    assert run(client, "cat /t/note; echo x 2>/dev/null > /t/note || echo locked", volumes=at) == (
        "host\nlocked\n"
    )
    volume.remove()
    assert (tmp_path / "note").read_text() == "host\n"
    gone = {"type": "none", "device": "/no/such", "o": "bind"}
    client.volumes.create("tests-gone", driver_opts=gone)
    with pytest.raises(docker.errors.APIError, match="no such file or directory"):
        client.containers.run(IMAGE, ["true"], volumes={"tests-gone": {"bind": "/t"}}, remove=True)
    for container in client.containers.list(all=True):
        container.remove()
    client.volumes.get("tests-gone").remove()


def test_a_file_system_that_this_kernel_has_not_is_named(
    client: docker.DockerClient, own_engine: OwnEngine
) -> None:
    options = {"type": "nosuchfs", "device": ":/export", "o": "addr=127.0.0.1"}
    client.volumes.create("tests-odd", driver_opts=options)
    container = client.containers.create(IMAGE, ["true"], volumes={"tests-odd": {"bind": "/t"}})
    with pytest.raises(docker.errors.APIError, match="failed to mount local volume") as caught:
        container.start()
    assert caught.value.status_code == 500
    assert "this kernel has no file system 'nosuchfs'" in str(caught.value)
    assert mounted(own_engine) == []
    container.remove()
    client.volumes.get("tests-odd").remove()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """A block device with ext4 on it, from a file."""
    if not Path("/dev/loop-control").exists():
        pytest.skip("needs the privilege to make a loop device (/dev/loop-control)")
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, 8 << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", image], check=True)
    device = subprocess.check_output(
        ["/sbin/losetup", "--find", "--show", image], text=True
    ).strip()
    try:
        yield device
    finally:
        subprocess.run(["/sbin/losetup", "--detach", device], check=True)


def test_a_block_devices_volume_is_mounted_while_it_is_used(
    client: docker.DockerClient, own_engine: OwnEngine, disk: str
) -> None:
    options = {"type": "ext4", "device": disk, "o": "noatime"}
    volume = client.volumes.create("tests-disk", driver_opts=options)
    at = ["tests-disk:/d"]
    shown = run(client, "echo kept > /d/f; busybox chown 5 /d/f; busybox mount", volumes=at)
    assert f"{disk} on /d type ext4 (rw,noatime)" in shown
    assert mounted(own_engine) == []
    own_ids = client.api.create_host_config(binds=at) | {"UsernsMode": "auto"}
    made = client.api.create_container(IMAGE, ["stat", "-c", "%u", "/d/f"], host_config=own_ids)
    client.api.start(made)
    client.api.wait(made)
    assert client.api.logs(made) == b"5\n"
    client.api.remove_container(made)
    script = "cat /d/f; echo x 2>/dev/null > /d/f || echo locked"
    assert run(client, script, volumes=["tests-disk:/d:ro"]) == "kept\nlocked\n"
    assert mounted(own_engine) == []
    volume.remove()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"type": "ext4", "device": "/dev/no-such", "o": "rw"}, "lookup blockdev|/dev/no-such"),
        (
            {"type": "nfs", "device": ":/x", "o": "addr=no.such.invalid"},
            "Name or service not known|Temporary failure",
        ),
    ],
)
def test_a_source_that_is_not_there_is_named(
    client: docker.DockerClient, own_engine: OwnEngine, options: dict[str, str], words: str
) -> None:
    volume = client.volumes.create("tests-nowhere", driver_opts=options)
    with pytest.raises(docker.errors.APIError, match=words) as caught:
        run(client, "true", volumes=["tests-nowhere:/d"])
    assert "error while mounting volume 'tests-nowhere'" in str(caught.value)
    assert mounted(own_engine) == []
    for container in client.containers.list(all=True):
        container.remove()
    volume.remove()


def test_options_labels_subpath_and_nocopy_of_the_long_form(client: docker.DockerClient) -> None:
    text = "FROM busybox:bench\nRUN busybox mkdir /data && echo image > /data/file\n"
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag="tests/mounted")
    labelled = Mount("/data", "tests-long", no_copy=True, labels={"of": "tests"})
    said = client.containers.run(
        image.id, ["sh", "-c", "ls /data; busybox mkdir -p /data/a/b; echo in > /data/a/b/f"],
        mounts=[labelled], remove=True,
    )  # fmt: skip
    assert said == b""
    assert client.volumes.get("tests-long").attrs["Labels"] == {"of": "tests"}
    below = Mount("/t", "tests-long", subpath="a/b")
    assert run(client, "ls /t", mounts=[below]) == "f\n"
    outside = Mount("/t", "tests-long", subpath="../..")
    for wrong in (outside, Mount("/t", "tests-long", subpath="not/there")):
        with pytest.raises(docker.errors.APIError):
            run(client, "ls /t", mounts=[wrong])
    for container in client.containers.list(all=True):
        container.remove()
    client.volumes.get("tests-long").remove()


def test_containers_made_at_once_fill_a_new_volume_once(client: docker.DockerClient) -> None:
    made = "busybox mkdir /data && for n in $(seq 200); do echo $n > /data/$n; done"
    text = f"FROM busybox:bench\nRUN {made}\n"
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag="tests/filling")

    def make(_: int) -> str:
        return client.containers.create(image.id, ["ls", "/data"], volumes=["tests-new:/data"]).id

    with ThreadPoolExecutor(6) as makers:
        containers = [client.containers.get(made) for made in makers.map(make, range(6))]
    containers[0].start()
    containers[0].wait()
    assert len(containers[0].logs().split()) == 200
    for container in containers:
        container.remove()
    client.volumes.get("tests-new").remove()
    client.images.remove("tests/filling")


def test_an_image_is_mounted_and_its_changes_are_the_containers(
    client: docker.DockerClient,
) -> None:
    text = "FROM busybox:bench\nRUN busybox mkdir -p /sub/deep && echo one > /sub/deep/f && echo gone > /sub/g\n"
    text += "RUN busybox rm /sub/g && echo two > /sub/h\n"
    client.images.build(fileobj=io.BytesIO(text.encode()), tag="tests/source:1")
    whole = raw_mount(Type="image", Source="tests/source:1")
    container = client.containers.create(
        IMAGE, ["sh", "-c", "cat /t/sub/deep/f /t/new; echo n > /t/new"], mounts=[whole]
    )
    for expected in (b"one\n", b"one\nn\n"):
        container.start()
        container.wait()
        assert container.logs(stderr=False).endswith(expected)
    with pytest.raises(docker.errors.APIError, match="is using"):
        client.images.remove("tests/source:1")
    container.remove()
    part = raw_mount(
        Type="image", Source="tests/source:1", ReadOnly=True, ImageOptions={"Subpath": "sub"}
    )
    script = "ls /t; echo x 2>/dev/null > /t/x || echo locked"
    assert run(client, script, mounts=[part]).split() == ["deep", "h", "locked"]
    for wrong, status in (
        (raw_mount(Type="image", Source="no/such:image"), 404),
        (raw_mount(Type="image", Source=""), 400),
        (raw_mount(Type="image", Source="tests/source:1", ImageOptions={"Subpath": "no"}), 404),
        (raw_mount(Type="npipe", Source="x"), 501),
        (raw_mount(Type="bind", Source="/no/such/folder"), 400),
        (raw_mount(Type="bind", Source="relative"), 400),
    ):
        with pytest.raises(docker.errors.APIError) as caught:
            run(client, "true", mounts=[wrong])
        assert caught.value.status_code == status, wrong
    for left in client.containers.list(all=True):
        left.remove()
    client.images.remove("tests/source:1")


def test_anonymous_volumes_go_with_their_container_and_named_ones_stay(
    client: docker.DockerClient,
) -> None:
    before = {volume.id for volume in client.volumes.list()}
    at = ["/anonymous", "tests-named:/named"]
    first = client.containers.create(IMAGE, ["true"], volumes=at)
    made = {volume.id for volume in client.volumes.list()} - before
    assert len(made) == 2
    second = client.containers.run(
        IMAGE, ["sh", "-c", "echo x > /anonymous/f"], volumes_from=[first.id], detach=True
    )
    second.wait()
    with pytest.raises(docker.errors.APIError, match="volume is in use") as caught:
        client.volumes.get("tests-named").remove()
    assert caught.value.status_code == 409
    first.remove(v=True)
    assert {volume.id for volume in client.volumes.list()} - before == made
    second.remove(v=True)
    assert {volume.id for volume in client.volumes.list()} - before == {"tests-named"}
    gone = client.containers.run(IMAGE, ["true"], volumes=["/x"], detach=True, remove=True)
    try:
        gone.wait(condition="removed")
    except docker.errors.NotFound:
        pass  # it was quick
    assert {volume.id for volume in client.volumes.list()} - before == {"tests-named"}
    client.volumes.get("tests-named").remove()


def test_filters_of_list_and_prune(client: docker.DockerClient) -> None:
    client.volumes.create("tests-one", labels={"keep": "1"})
    client.volumes.create("tests-two")
    client.volumes.create()
    used = client.containers.create(IMAGE, ["true"], volumes=["tests-two:/t"])

    def names(**filters: object) -> set[str]:
        return {v.name for v in client.volumes.list(filters=filters) if v.name.startswith("tests-")}

    assert names(label="keep=1") == {"tests-one"}
    assert names(dangling=True) == {"tests-one"}
    assert names(dangling="false") == {"tests-two"}
    assert names(name="-t") == {"tests-two"}
    assert names(driver="local") == {"tests-one", "tests-two"}
    for filters in ({"odd": "x"}, {"dangling": "maybe"}):
        with pytest.raises(docker.errors.APIError) as caught:
            client.volumes.list(filters=filters)
        assert caught.value.status_code == 400
    assert len(client.volumes.prune()["VolumesDeleted"]) == 1
    assert client.volumes.prune(filters={"all": "1", "label!": "keep"})["VolumesDeleted"] is None
    assert client.volumes.prune(filters={"all": "true"})["VolumesDeleted"] == ["tests-one"]
    used.remove()
    client.volumes.get("tests-two").remove()
    for name, words in (("x", "invalid characters"), ("../up", "invalid characters")):
        with pytest.raises(docker.errors.APIError, match=words):
            client.volumes.create(name)
    with pytest.raises(docker.errors.APIError, match='plugin "odd" not found'):
        client.volumes.create("tests-odd", driver="odd")


def test_binds_by_every_option(client: docker.DockerClient, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for above in tmp_path.parents:
        if str(above).startswith("/tmp/pytest"):
            above.chmod(0o711)
    (tmp_path / "below").mkdir()
    made = tmp_path / "made/by/engine"
    assert run(client, "echo w > /t/f", volumes=[f"{made}:/t"]) == ""
    assert (made / "f").read_text() == "w\n"
    assert run(client, "echo x 2>/dev/null > /t/f || echo locked", volumes=[f"{made}:/t:ro"]) == (
        "locked\n"
    )
    with pytest.raises(docker.errors.APIError, match="Duplicate mount point"):
        run(client, "true", volumes=[f"{made}:/t", f"{tmp_path}:/t"])
    with pytest.raises(docker.errors.APIError, match="invalid mode: odd"):
        run(client, "true", volumes=[f"{made}:/t:odd"])
    shared = Mount("/t", str(tmp_path), type="bind", propagation="rslave", read_only=True)
    assert run(client, "ls /t", mounts=[shared]).split() == ["below", "made"]


def test_a_volume_that_cannot_be_mounted_is_an_end_for_whoever_waits(
    client: docker.DockerClient,
) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "nonsense=1"}
    volume = client.volumes.create("tests-unmountable", driver_opts=options)
    container = client.containers.create(
        IMAGE, ["true"], volumes={volume.name: {"bind": "/x"}}, auto_remove=True
    )
    with ThreadPoolExecutor(1) as waiting:
        end = waiting.submit(container.wait, condition="removed")
        with pytest.raises(docker.errors.APIError, match="nonsense"):
            container.start()
        assert end.result(20)["StatusCode"] == 128
    volume.remove()
