"""Mounts as the engine is asked for them."""

from compose.engine_client.payloads.mounts import bind_string, mount_object
from compose.model.mount import Mount


def test_a_bind_mapped_to_its_owner() -> None:
    mount = Mount(type="bind", target="/d", source="/s", bind_map_owner=True)
    assert bind_string(mount, "/s") == "/s:/d:rw,map-owner"
    assert mount_object(mount, "/s")["BindOptions"] == {"MapOwner": True}
    assert bind_string(Mount(type="bind", target="/d", source="/s"), "/s") == "/s:/d:rw"
