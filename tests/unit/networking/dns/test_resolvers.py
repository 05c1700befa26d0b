"""The host's resolv.conf: read, and read again when it has changed."""

from __future__ import annotations

from networking.dns.resolvers import HostResolvers, name_servers


def test_servers_of_both_families_once_each() -> None:
    text = "# nameserver 1.1.1.1\nnameserver 10.0.0.1\nsearch x\nnameserver fe80::1%eth0\n"
    text += "nameserver nonsense\nnameserver 10.0.0.1\nnameserver\n"
    assert name_servers(text) == ("10.0.0.1", "fe80::1%eth0")


def test_a_change_is_seen_within_a_second_and_told(tmp_path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 10.0.0.1\n")
    now, told = [100.0], []
    resolvers = HostResolvers(lambda: now[0], lambda: told.append(now[0]), str(path))
    assert resolvers.servers() == ("10.0.0.1",)
    path.write_text("nameserver 10.0.0.2\nnameserver ::1\n")
    assert resolvers.servers() == ("10.0.0.1",)
    now[0] += 1
    assert resolvers.servers() == ("10.0.0.2", "::1")
    path.unlink()
    now[0] += 1
    assert resolvers.servers() == ()
    assert told == [100.0, 101.0, 102.0]
