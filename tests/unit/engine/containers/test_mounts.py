"""What is mounted where."""

import pytest

from engine.containers.config import Config, HostConfig, MountRequest, TmpfsOptions
from engine.containers.model import Container
from engine.containers.mounts import decide_mounts, parse_bind, runtime_mounts
from engine.errors import InvalidRequestError


def nobody(name: str) -> Container:
    raise LookupError(name)


def test_a_bind_a_volume_and_an_anonymous_one() -> None:
    bind = parse_bind("/host/../etc:/etc/:ro,rslave")
    assert (bind.type, bind.source, bind.destination, bind.rw) == ("bind", "/etc", "/etc", False)
    assert bind.propagation == "rslave"
    volume = parse_bind("data:/d:nocopy")
    assert (volume.type, volume.name, volume.no_copy, volume.anonymous) == (
        "volume",
        "data",
        True,
        False,
    )
    assert parse_bind("/just/there").anonymous


@pytest.mark.parametrize(
    "text", ["a:b:c:d", ":/x", "a:", "v:/x:often", "v:/x:rslave", "v:x", "v:/"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_bind(text)


def test_later_ones_win_over_the_images_but_not_over_each_other() -> None:
    config = Config(volumes={"/data": {}, "/other": {}})
    points = decide_mounts(config, HostConfig(binds=("named:/data",)), nobody)
    assert {p.destination: p.anonymous for p in points} == {"/data": False, "/other": True}
    with pytest.raises(InvalidRequestError, match="Duplicate mount point: /data"):
        decide_mounts(config, HostConfig(binds=("a:/data", "b:/data/")), nobody)


def test_in_the_kernels_terms() -> None:
    tmpfs = MountRequest("tmpfs", target="/t", tmpfs_options=TmpfsOptions(size_bytes=5, mode=0o700))
    host = HostConfig(binds=("named:/data:ro",), mounts=(tmpfs,), tmpfs={"/e": "exec,size=1m"})
    points = decide_mounts(Config(), host, nobody)
    made = {
        m.target: m for m in runtime_mounts(points, {"named": "/v/named"}, {"/etc/hosts": "/f"})
    }
    assert made["/data"].source == "/v/named"
    assert "ro" in made["/data"].options
    assert made["/t"].data == "size=5,mode=700"
    assert "noexec" in made["/t"].options
    assert "noexec" not in made["/e"].options
    assert made["/etc/hosts"].source == "/f"


def test_a_bind_mapped_to_its_owner() -> None:
    point = parse_bind("/src:/dst:ro,map-owner")
    (mount,) = runtime_mounts([point], {}, {})
    assert set(mount.options) == {"rbind", "rprivate", "ro", "map-owner"}
    with pytest.raises(InvalidRequestError, match="map-owner"):
        parse_bind("volume:/dst:map-owner")


def test_a_tmpfs_has_no_source() -> None:
    wrong = MountRequest("tmpfs", source="/s", target="/t")
    with pytest.raises(InvalidRequestError, match="field Source must not be specified"):
        decide_mounts(Config(), HostConfig(mounts=(wrong,)), nobody)
