"""Name service of an engine: who is found by whom, and how soon."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import dns.message
import pytest

from tests.integration.engine.networks.town import Town

pytestmark = pytest.mark.root


def test_all_kinds_of_names(town: Town) -> None:
    town.network("back", "10.104.200.0/24", "fd12::/64")
    web = town.run(
        "shop-web-1", "back", config={"Hostname": "webhost"}, endpoint={"Aliases": ["web"]}
    )
    box = town.run("box", "back")
    short = web.container.id[:12]
    for name in ("shop-web-1", "web", "webhost", short, "WEB", "web.back", "shop-web-1.back"):
        assert box.ask(name) == ["10.104.200.2"], name
        assert box.ask(name, "AAAA") == ["fd12::2"], name
    assert box.ask("2.200.104.10.in-addr.arpa", "PTR") == ["shop-web-1.back."]
    six = "2." + "0." * 27 + "2.1.d.f.ip6.arpa"
    assert box.ask(six, "PTR") == ["shop-web-1.back."]
    assert box.query("web", "MX").rcode() == 0
    assert box.ask("web", "MX") == []
    assert box.query("web", tcp=True).answer[0][0].to_text() == "10.104.200.2"


def test_replicas_take_turns_and_leave_when_they_stop(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    replicas = [town.run(f"web-{n}", "net", endpoint={"Aliases": ["web"]}) for n in (1, 2, 3)]
    box = town.run("box", "net")
    answers = [tuple(box.ask("web")) for _ in range(6)]
    assert {frozenset(a) for a in answers} == {
        frozenset({"10.104.200.2", "10.104.200.3", "10.104.200.4"})
    }
    assert {a[0] for a in answers} == {"10.104.200.2", "10.104.200.3", "10.104.200.4"}
    replicas[1].container.kill()
    assert sorted(box.ask("web")) == ["10.104.200.2", "10.104.200.4"]
    replicas[1].container.start()
    assert len(box.ask("web")) == 3


def test_a_change_is_seen_within_50_ms(town: Town) -> None:
    net = town.network("net", "10.104.200.0/24")
    box, other = town.run("box", "net"), town.run("other")
    for change, there in ((net.connect, True), (net.disconnect, False)):
        change(other.container)
        started = time.monotonic()
        while bool(box.ask("other")) is not there:
            assert time.monotonic() - started < 0.05


def test_networks_keep_names_apart(town: Town) -> None:
    town.network("red", "10.104.201.0/24")
    town.network("blue", "10.104.202.0/24")
    red, blue = town.run("red-1", "red"), town.run("blue-1", "blue")
    assert red.ask("blue-1") == []
    assert red.ask("blue-1.blue") == []
    assert red.ask("2.202.104.10.in-addr.arpa", "PTR") == []
    both = town.run("both", endpoints={"red": {}, "blue": {}})
    assert both.ask("red-1") == ["10.104.201.2"]
    assert both.ask("blue-1") == ["10.104.202.2"]
    assert both.ask("both.blue") == ["10.104.202.3"]
    assert blue.ask("both") == ["10.104.202.3"]


def test_links_are_ones_own_words_for_others(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    town.run("database", "net")
    box = town.run("box", "net", endpoint={"Links": ["database:db"]})
    other = town.run("other", "net")
    assert box.ask("db") == ["10.104.200.2"]
    assert box.ask("db.net") == ["10.104.200.2"]
    assert other.ask("db") == []


def test_the_host_has_a_name_but_not_on_internal_networks(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    town.network("inner", "10.104.201.0/24", Internal=True)
    box, inner = town.run("box", "net"), town.run("inner-1", "inner")
    assert box.ask("host.docker.internal") == ["10.104.200.1"]
    server = town.host.listen("10.104.200.1", 7007)
    assert box.site.reaches("10.104.200.1", 7007)
    assert inner.ask("host.docker.internal") == []
    assert server


def test_an_unhealthy_container_is_not_found_by_name_but_by_address(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    check = {
        "Test": ["CMD-SHELL", "cat /ill && exit 1 || exit 0"],
        "Interval": 100_000_000,
        "Retries": 1,
    }
    ill = town.run("ill", "net", config={"Healthcheck": check})
    box = town.run("box", "net")
    assert box.ask("ill") == ["10.104.200.2"]
    ill.container.exec_run(["sh", "-c", "echo x > /ill"])
    _until(lambda: box.ask("ill") == [])
    assert box.ask("2.200.104.10.in-addr.arpa", "PTR") == ["ill.net."]


def _until(condition, patience: float = 8.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # health is probed in its own time


def upstream(sock: socket.socket, address: str, count: int = 1) -> threading.Thread:
    """A name server that answers so many questions with one address."""

    def serve() -> None:
        for _ in range(count):
            data, peer = sock.recvfrom(2000)
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            name = query.question[0].name
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "A", address))
            sock.sendto(answer.to_wire(), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_own_servers_are_asked_from_the_containers_namespace(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    server = town.run("server", "net")
    box = town.run("box", "net", host_config={"Dns": ["10.104.200.2"]})
    thread = upstream(server.site.listen("10.104.200.2", 53, socket.SOCK_DGRAM), "192.0.2.55")
    assert box.ask("example.com") == ["192.0.2.55"]
    thread.join()
    # 127.0.0.1 is the container's own loopback, not the host's.
    lonely = town.run("lonely", "net", host_config={"Dns": ["127.0.0.1"]})
    on_host = town.host.listen("127.0.0.1", 53, socket.SOCK_DGRAM)
    on_host.settimeout(0.2)
    thread = upstream(lonely.site.listen("127.0.0.1", 53, socket.SOCK_DGRAM), "192.0.2.56")
    assert lonely.ask("example.com") == ["192.0.2.56"]
    thread.join()
    with pytest.raises(TimeoutError):
        on_host.recv(100)


def test_internal_networks_ask_nobody_outside(town: Town) -> None:
    town.network("inner", "10.104.201.0/24", Internal=True)
    box = town.run("box", "inner", host_config={"Dns": ["127.0.0.1"]})
    server = box.site.listen("127.0.0.1", 53, socket.SOCK_DGRAM)
    server.settimeout(0.2)
    assert box.query("example.com").rcode() == 2
    with pytest.raises(TimeoutError):
        server.recv(100)


def test_resolv_conf_asks_for_absolute_names_first_and_keeps_what_was_asked(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run(
        "box", "net", host_config={"DnsSearch": ["corp.example"], "DnsOptions": ["timeout:1"]}
    )
    text = box.container.exec_run(["cat", "/etc/resolv.conf"]).output.decode()
    assert "nameserver 127.0.0.11" in text
    assert "search corp.example" in text
    assert "timeout:1" in text
    assert "ndots:0" in text


def test_a_killed_engine_answers_still_and_the_next_one_knows_everything(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    town.run("web", "net", host_config={"PortBindings": {"80/tcp": [{"HostPort": "18080"}]}})
    box = town.run("box", "net")
    pidfd = os.pidfd_open(town.engine.pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    assert box.ask("web") == ["10.104.200.2"]
    started = town.engine.command("serve", "--detach")
    assert started.returncode == 0, started.stderr
    assert box.ask("web") == ["10.104.200.2"]
    town.client.containers.get("web").kill()
    assert box.ask("web") == []


def test_a_name_server_that_dies_is_replaced_at_the_next_change(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    box = town.run("box", "net")
    pid = next(
        int(p)
        for p in os.listdir("/proc")
        if p.isdigit() and _is_dns_of(p, str(town.engine.run_dir))
    )
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    town.run("web", "net")
    assert box.ask("web") == ["10.104.200.3"]


def _is_dns_of(pid: str, run_dir: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline") as stream:
            words = stream.read().split("\0")
    except OSError:
        return False
    return "networking.dns.server" in words and run_dir in words


def test_a_container_may_serve_dns_itself_on_every_address(town: Town) -> None:
    town.network("net", "10.104.200.0/24")
    server, box = town.run("server", "net"), town.run("box", "net")
    thread = upstream(server.site.listen("0.0.0.0", 53, socket.SOCK_DGRAM), "192.0.2.57")
    listener = server.site.listen("0.0.0.0", 53)
    assert server.ask("box") == ["10.104.200.3"]
    query = dns.message.make_query("example.com", "A")
    client = box.site.open(kind=socket.SOCK_DGRAM)
    client.sendto(query.to_wire(), ("10.104.200.2", 53))
    assert "192.0.2.57" in str(dns.message.from_wire(client.recv(2000)))
    assert box.site.reaches("10.104.200.2", 53)
    thread.join()
    assert listener
