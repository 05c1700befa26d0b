"""hosts and resolv.conf."""

from engine.containers.config import HostConfig
from engine.containers.netfiles import HostEntry, hosts_text, resolv_text

HOST = (
    "# mine\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.example b.example\noptions rotate\n"
)


def test_hosts() -> None:
    text = hosts_text(
        [HostEntry("10.1.0.2", ("me.example", "me"))],
        ["db:10.0.0.9", "v6=[fe80::1]", "host.docker.internal:host-gateway"],
        "10.1.0.1",
    )
    lines = text.splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-1] == "10.1.0.2\tme.example me"
    assert "10.0.0.9\tdb" in lines
    assert "fe80::1\tv6" in lines
    assert "10.1.0.1\thost.docker.internal" in lines


def test_our_server_where_there_is_one() -> None:
    host = f"{HOST}options ndots:5\n"
    text = resolv_text(host, HostConfig(dns=("8.8.8.8",)), embedded=True)
    assert text == "nameserver 127.0.0.11\nsearch a.example b.example\noptions rotate ndots:0\n"
    asked = resolv_text(host, HostConfig(dns_options=("ndots:2",)), embedded=True)
    assert asked.endswith("options ndots:2\n")


def test_the_hosts_or_what_was_asked_for() -> None:
    text = resolv_text(HOST, HostConfig(), embedded=False)
    assert (
        text
        == "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.example b.example\noptions rotate\n"
    )
    asked = HostConfig(dns=("8.8.8.8",), dns_search=(".",), dns_options=("ndots:2",))
    assert resolv_text(HOST, asked, embedded=False) == "nameserver 8.8.8.8\noptions ndots:2\n"
