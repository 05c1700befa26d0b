"""The same requests to a real Docker Engine and to ours: the same status, and every field that it has.

Words of errors are ours where they say more; a difference on purpose is in one of the tables below,
with its reason.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.bench.sides import import_image
from tests.contract.dockerd import running_dockerd
from tests.contract.exchanges import Ask, Said, kinds, put
from tests.own_engine import running_engine

pytestmark = [pytest.mark.root, pytest.mark.peer]
IMAGE = "busybox:bench"


def create(name: str, **config: Any) -> Ask:
    return Ask(
        "POST", f"/containers/create?name={name}", {"Image": IMAGE, "Cmd": ["true"], **config}
    )


def hosted(name: str, **config: Any) -> Ask:
    return create(name, HostConfig=config)


def filters(**values: list[str]) -> str:
    return "filters=" + quote(json.dumps({key.replace("_", "-"): v for key, v in values.items()}))


FULL = {
    "Memory": 67108864,
    "PortBindings": {"80/tcp": [{"HostPort": "18480"}]},
    "Binds": ["/tmp:/host:ro"],
    "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
}
LIFE = [
    Ask("GET", "/containers/json?all=1"),
    create("one", Cmd=["sleep", "1000"], Env=["A=1", "B"], Labels={"a": "b"},
           ExposedPorts={"80/tcp": {}}, HostConfig=FULL),
    create("one"),
    Ask("GET", "/containers/one/json"),
    Ask("POST", "/containers/one/start"),
    Ask("POST", "/containers/one/start"),
    Ask("GET", "/containers/one/json?size=1"),
    Ask("GET", "/containers/json"),
    Ask("GET", "/containers/one/top"),
    Ask("GET", "/containers/one/changes"),
    Ask("GET", "/containers/one/stats?stream=0&one-shot=1"),
    Ask("POST", "/containers/one/rename?name=two"),
    Ask("POST", "/containers/two/pause"),
    Ask("POST", "/containers/two/pause"),
    Ask("GET", "/containers/two/json"),
    Ask("POST", "/containers/two/unpause"),
    Ask("POST", "/containers/two/kill?signal=NOPE"),
    Ask("POST", "/containers/two/kill?signal=0"),
    Ask("POST", "/containers/two/update", {"Memory": 134217728, "MemorySwap": 268435456}),
    Ask("POST", "/containers/two/update", {"RestartPolicy": {"Name": "sometimes"}}),
    Ask("POST", "/containers/two/resize?h=x&w=20"),
    Ask("POST", "/containers/two/exec", {"Cmd": ["true"]}, keep="exec"),
    Ask("POST", "/containers/two/exec", {}),
    Ask("GET", "/exec/{exec}/json"),
    Ask("POST", "/exec/{exec}/start", {"Detach": True}),
    Ask("GET", "/exec/nope/json"),
    Ask("DELETE", "/containers/two"),
    Ask("GET", "/containers/two/archive?path=/nope"),
    Ask("GET", "/containers/two/archive"),
    Ask("POST", "/containers/two/kill"),
    Ask("POST", "/containers/two/wait"),
    Ask("POST", "/containers/two/kill"),
    Ask("POST", "/containers/two/stop"),
    Ask("GET", "/containers/two/json"),
    Ask("POST", "/containers/two/exec", {"Cmd": ["true"]}),
    Ask("GET", "/containers/two/top"),
    Ask("POST", "/containers/two/pause"),
    Ask("GET", "/containers/two/stats?stream=0"),
    Ask("GET", "/containers/two/logs"),
    Ask("GET", f"/containers/json?all=1&size=1&{filters(name=['two'])}"),
    Ask("POST", "/commit?container=two&repo=made"),
]  # fmt: skip
REFUSALS = [
    Ask("GET", "/containers/nope/json"),
    Ask("POST", "/containers/nope/start"),
    Ask("DELETE", "/containers/nope"),
    Ask("POST", "/containers/create", {}),
    Ask("POST", "/containers/create", {"Image": "nope:1"}),
    Ask("POST", "/containers/create", {"Image": IMAGE}),
    create("-bad"),
    create("miss", Cmd=["/nope"]),
    Ask("POST", "/containers/miss/start"),
    Ask("GET", "/containers/miss/json"),
    create("folder", Cmd=["/etc"]),
    Ask("POST", "/containers/folder/start"),
    create("cwd", WorkingDir="relative"),
    create("signal", StopSignal="SIGNOPE"),
    create("environment", Env=["=x"]),
    create("health", Healthcheck={"Test": ["CMD", "true"], "Interval": 10}),
    hosted("nonet", NetworkMode="nonet"),
    hosted("memory", Memory=100),
    hosted("cpus", NanoCpus=10**13),
    hosted("swap", Memory=67108864, MemorySwap=1),
    hosted("swappiness", MemorySwappiness=300),
    hosted("oom", OomScoreAdj=5000),
    hosted("pid", PidMode="foo"),
    hosted("ipc", IpcMode="foo"),
    hosted("policy", RestartPolicy={"Name": "foo"}),
    hosted("retries", RestartPolicy={"Name": "always", "MaximumRetryCount": 3}),
    hosted("both", RestartPolicy={"Name": "always"}, AutoRemove=True),
    hosted("source", Mounts=[{"Type": "bind", "Source": "/nonexistent", "Target": "/x"}]),
    hosted("kind", Mounts=[{"Type": "foo", "Target": "/x"}]),
    hosted("target", Mounts=[{"Type": "volume", "Target": ""}]),
    hosted("twice", Binds=["/tmp:/x", "/etc:/x"]),
    hosted("driver", LogConfig={"Type": "nope"}),
    hosted("option", LogConfig={"Type": "json-file", "Config": {"bogus": "1"}}),
    hosted("runtime", Runtime="nope"),
    hosted("capability", CapAdd=["NOPE"]),
    hosted("ulimit", Ulimits=[{"Name": "foo", "Soft": 1, "Hard": 1}]),
    hosted("limits", Ulimits=[{"Name": "nofile", "Soft": 10, "Hard": 1}]),
    hosted("protocol", PortBindings={"80/foo": [{"HostPort": "1"}]}),
    hosted("port", PortBindings={"80/tcp": [{"HostPort": "x"}]}),
    hosted("link", Links=["nope:x"]),
    hosted("from", VolumesFrom=["nope"]),
    Ask("POST", "/commit?container=nope"),
]
NETWORKS = [
    Ask("GET", f"/networks?{filters(name=['none'])}"),
    Ask("GET", "/networks/nope"),
    Ask("POST", "/networks/create", {"Name": "n1", "Labels": {"a": "b"}}),
    Ask("POST", "/networks/create", {"Name": "n1", "CheckDuplicate": True}),
    Ask("GET", "/networks/n1"),
    Ask("POST", "/networks/create", {"Name": "n2", "Driver": "nope"}),
    Ask("POST", "/networks/create", {"Name": "n5", "IPAM": {"Config": [{"Subnet": "10.79.0.0/24"}]}}),
    Ask("POST", "/networks/create", {"Name": "n6", "IPAM": {"Config": [{"Subnet": "10.79.0.0/24"}]}}),
    Ask("DELETE", "/networks/bridge"),
    Ask("DELETE", "/networks/nope"),
    create("member"),
    Ask("POST", "/networks/n1/connect", {"Container": "nope"}),
    Ask("POST", "/networks/n1/connect", {"Container": "member"}),
    Ask("GET", "/containers/member/json"),
    Ask("POST", "/networks/n1/disconnect", {"Container": "member"}),
    Ask("DELETE", "/networks/n1"),
    Ask("POST", "/networks/prune"),
]  # fmt: skip
VOLUMES = [
    Ask("GET", "/volumes"),
    Ask("POST", "/volumes/create", {"Name": "v1", "Labels": {"x": "y"}}),
    Ask("POST", "/volumes/create", {"Name": "v1"}),
    Ask("POST", "/volumes/create", {"Name": "a b"}),
    Ask("POST", "/volumes/create", {"Name": "v2", "Driver": "nope"}),
    Ask("POST", "/volumes/create", {"Name": "v3", "DriverOpts": {"bogus": "1"}}),
    Ask("GET", "/volumes/v1"),
    Ask("GET", "/volumes/nope"),
    Ask("DELETE", "/volumes/nope"),
    Ask("DELETE", "/volumes/v1"),
    Ask("POST", "/volumes/prune"),
]
IMAGES = [
    Ask("GET", "/images/json"),
    Ask("GET", f"/images/{IMAGE}/json"),
    Ask("GET", "/images/nope/json"),
    Ask("GET", f"/images/{IMAGE}/history"),
    Ask("DELETE", "/images/nope"),
    Ask("POST", f"/images/{IMAGE}/tag?repo=x/y&tag=1"),
    Ask("DELETE", "/images/x/y:1"),
    Ask("POST", "/images/create?fromImage=bad%20name"),
    Ask("POST", "/images/prune"),
]
SYSTEM = [
    Ask("GET", "/info"),
    Ask("GET", "/version"),
    Ask("GET", "/system/df"),
    Ask("GET", "/events?since=0&until=1"),
    Ask("GET", f"/containers/json?{filters(nope=['x'])}"),
    Ask("GET", "/swarm"),
    Ask("GET", "/services"),
    Ask("GET", "/nodes"),
    Ask("GET", "/tasks"),
    Ask("GET", "/secrets"),
    Ask("GET", "/configs"),
    Ask("POST", "/swarm/leave"),
    Ask("GET", "/plugins"),
    Ask("GET", "/plugins/nope/json"),
    Ask("GET", "/nope"),
    Ask("POST", "/containers/prune"),
]
#: What docker compose and docker-py ask for most: a project's objects, by their labels.
PROJECT = {"com.docker.compose.project": "p", "com.docker.compose.service": "web"}
OF_PROJECT = "com.docker.compose.project=p"
CLIENTS = [
    Ask("POST", "/networks/create", {"Name": "p_default", "Labels": PROJECT, "CheckDuplicate": True}),
    Ask("POST", "/volumes/create", {"Name": "p_data", "Labels": PROJECT}),
    create("p-web-1", Cmd=["sleep", "1000"], Labels=PROJECT, ExposedPorts={"80/tcp": {}},
           Healthcheck={"Test": ["NONE"]},
           HostConfig={"NetworkMode": "p_default", "Binds": ["p_data:/data:rw"],
                       "PortBindings": {"80/tcp": [{"HostPort": "18481"}]},
                       "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 4096}}]},
           NetworkingConfig={"EndpointsConfig": {"p_default": {"Aliases": ["web"]}}}),
    Ask("POST", "/containers/p-web-1/start"),
    Ask("GET", "/containers/p-web-1/json"),
    Ask("GET", "/networks/p_default"),
    Ask("GET", "/networks/p_default?verbose=1"),
    Ask("GET", f"/networks?{filters(label=[OF_PROJECT])}"),
    Ask("GET", f"/networks?{filters(name=['p_default'], driver=['bridge'], scope=['local'])}"),
    Ask("GET", f"/networks?{filters(type=['custom'], dangling=['false'])}"),
    Ask("GET", f"/networks?{filters(type=['nope'])}"),
    Ask("GET", f"/networks?{filters(dangling=['nope'])}"),
    Ask("GET", f"/networks?{filters(nope=['x'])}"),
    Ask("DELETE", "/networks/p_default"),
    Ask("GET", f"/volumes?{filters(label=[OF_PROJECT])}"),
    Ask("GET", f"/volumes?{filters(name=['p_'], driver=['local'], dangling=['false'])}"),
    Ask("GET", f"/volumes?{filters(dangling=['nope'])}"),
    Ask("GET", f"/volumes?{filters(nope=['x'])}"),
    Ask("DELETE", "/volumes/p_data"),
    Ask("DELETE", "/volumes/p_data?force=1"),
    Ask("GET", f"/containers/json?{filters(label=[OF_PROJECT])}"),
    Ask("GET", f"/containers/json?all=1&{filters(label=[OF_PROJECT, 'nope'])}"),
    Ask("GET", f"/containers/json?all=1&limit=1&{filters(name=['^/p-web-1$'], status=['running'])}"),
    Ask("GET", f"/containers/json?{filters(network=['p_default'], volume=['p_data'])}"),
    Ask("GET", f"/containers/json?{filters(publish=['18481'], expose=['80/tcp'])}"),
    Ask("GET", f"/containers/json?{filters(ancestor=[IMAGE], health=['none'])}"),
    Ask("GET", f"/containers/json?all=1&{filters(exited=['0'])}"),
    Ask("GET", f"/containers/json?{filters(ancestor=['nope'])}"),
    Ask("GET", f"/containers/json?{filters(status=['nope'])}"),
    Ask("GET", f"/containers/json?{filters(health=['nope'])}"),
    Ask("GET", f"/containers/json?all=1&{filters(exited=['x'])}"),
    Ask("GET", f"/containers/json?{filters(publish=['x'])}"),
    Ask("GET", f"/containers/json?{filters(before=['nope'])}"),
    Ask("GET", f"/containers/json?{filters(since=['nope'])}"),
    Ask("GET", f"/containers/json?{filters(is_task=['nope'])}"),
    Ask("GET", "/containers/json?filters=nope"),
    Ask("GET", "/containers/json?limit=x"),
    Ask("GET", "/containers/p-web-1/logs?stdout=1&tail=x"),
    Ask("GET", "/containers/p-web-1/logs?stdout=1&since=x"),
    Ask("GET", "/containers/p-web-1/top?ps_args=-nonsense"),
    Ask("POST", "/containers/p-web-1/stop?t=x"),
    Ask("POST", "/containers/p-web-1/attach?stream=0"),
    Ask("POST", "/containers/p-web-1/rename"),
    Ask("POST", "/containers/p-web-1/rename?name=-bad"),
    Ask("POST", "/containers/p-web-1/rename?name=p-web-1"),
    Ask("POST", "/containers/p-web-1/exec", {"Cmd": ["/nope"]}, keep="missing"),
    Ask("POST", "/exec/{missing}/start", {"Detach": False}),
    Ask("GET", "/exec/{missing}/json"),
    Ask("POST", "/containers/p-web-1/exec", {"Cmd": ["true"], "User": "nobody-here"}, keep="nobody"),
    Ask("POST", "/exec/{nobody}/start", {"Detach": False}),
    Ask("POST", "/networks/p_default/connect", {"Container": "p-web-1"}),
    Ask("POST", "/networks/bridge/connect", {"Container": "p-web-1"}),
    Ask("GET", "/containers/p-web-1/json"),
    Ask("POST", "/networks/bridge/disconnect", {"Container": "p-web-1"}),
    Ask("POST", "/networks/bridge/disconnect", {"Container": "p-web-1"}),
    Ask("POST", "/networks/host/connect", {"Container": "p-web-1"}),
    Ask("GET", f"/images/json?{filters(reference=['busybox*'])}"),
    Ask("GET", f"/images/json?{filters(reference=['nope'])}"),
    Ask("GET", f"/images/json?{filters(dangling=['true'])}"),
    Ask("GET", f"/images/json?{filters(dangling=['nope'])}"),
    Ask("GET", f"/images/json?{filters(label=['nope'])}"),
    Ask("GET", f"/images/json?{filters(before=['nope'])}"),
    Ask("GET", f"/images/json?{filters(since=[IMAGE])}"),
    Ask("GET", f"/images/json?{filters(nope=['x'])}"),
    Ask("DELETE", f"/images/{IMAGE}"),
    Ask("POST", f"/images/{IMAGE}/tag?repo=BAD"),
    Ask("POST", f"/images/{IMAGE}/tag"),
    Ask("POST", "/images/nope/tag?repo=x"),
    Ask("POST", "/images/nope/push"),
    Ask("GET", "/images/nope/get"),
    Ask("GET", "/images/nope/history"),
    Ask("GET", f"/events?since=0&until=1&{filters(nope=['x'])}"),
    Ask("GET", f"/events?since=0&until=1&{filters(type=['container'], label=[OF_PROJECT])}"),
    Ask("GET", "/events?since=5&until=1"),
    Ask("GET", "/events?since=x&until=1"),
    Ask("POST", "/containers/prune?" + filters(nope=["x"])),
    Ask("POST", "/containers/prune?" + filters(until=["x"])),
    Ask("POST", "/networks/prune?" + filters(nope=["x"])),
    Ask("POST", "/volumes/prune?" + filters(nope=["x"])),
    Ask("POST", "/images/prune?" + filters(dangling=["nope"])),
    Ask("DELETE", "/containers/p-web-1?v=1&force=1"),
    Ask("DELETE", "/networks/p_default"),
    Ask("DELETE", "/volumes/p_data"),
]  # fmt: skip


def network(name: str, *subnets: str, **more: Any) -> Ask:
    config = [{"Subnet": subnet} for subnet in subnets]
    return Ask("POST", "/networks/create", {"Name": name, **more, "IPAM": {"Config": config}})


def ipam(name: str, **config: Any) -> Ask:
    return Ask("POST", "/networks/create", {"Name": name, "IPAM": {"Config": [config]}})


def join(name: str, container: str, **endpoint: Any) -> Ask:
    body = {"Container": container, "EndpointConfig": endpoint}
    return Ask("POST", f"/networks/{name}/connect", body)


def leave(name: str, container: str) -> Ask:
    return Ask("POST", f"/networks/{name}/disconnect", {"Container": container})


BRIDGE = "com.docker.network.bridge."
AUX = ipam("aux", Subnet="10.77.0.0/24", AuxiliaryAddresses={"a": "10.76.0.1"})
CONNECTIONS = [
    ipam("na", Subnet="10.78.0.0/24", IPRange="10.78.0.128/25", Gateway="10.78.0.254",
         AuxiliaryAddresses={"router": "10.78.0.130"}),
    Ask("GET", "/networks/na?verbose=true&scope=local"),
    Ask("GET", "/networks/na?scope=swarm"),
    Ask("GET", "/networks/na?verbose=nope"),
    network("nb", "fd78::/64", EnableIPv6=True),
    Ask("GET", "/networks/nb"),
    network("inner", "10.78.1.0/24", Internal=True, Attachable=True),
    Ask("GET", "/networks/inner"),
    *(network(name) for name in ("", "host", "bridge", "none", "default")),
    network("drv", Driver="host"), network("drv", Driver="null"), network("drv", Driver="overlay"),
    network("drv", Driver="macvlan", Options={"parent": "nope0"}),
    network("scope", Scope="swarm"),
    network("pattern", "10.78.2.0/24", ConfigOnly=True),
    Ask("POST", "/networks/create", {"Name": "made", "ConfigFrom": {"Network": "pattern"}}),
    Ask("GET", "/networks/made"), Ask("GET", "/networks/pattern"),
    Ask("POST", "/networks/create", {"Name": "made2", "ConfigFrom": {"Network": "made"}}),
    Ask("DELETE", "/networks/pattern"),
    network("wide", "10.78.0.0/16"),
    network("words", "nope"),
    ipam("door", Subnet="10.77.0.0/24", Gateway="10.76.0.1"),
    AUX,
    ipam("bare", Gateway="10.77.0.1"),
    Ask("POST", "/networks/create", {"Name": "drv", "IPAM": {"Driver": "nope"}}),
    network("mtu", Options={"com.docker.network.driver.mtu": "abc"}),
    network("icc", Options={f"{BRIDGE}enable_icc": "maybe"}),
    network("to", Options={f"{BRIDGE}host_binding_ipv4": "nope"}),
    Ask("POST", "/networks/create", ["x"]),
    Ask("POST", "/networks/create", {"Name": 1}),
    network("labels", Labels={"k": "v", "com.x": ""}),
    Ask("GET", f"/networks?{filters(label=['k=v', 'com.x'])}"),
    Ask("GET", f"/networks?{filters(label=['k=other'])}"),
    Ask("GET", f"/networks?{filters(driver=['host'])}"),
    Ask("GET", f"/networks?{filters(scope=['nope'])}"),
    Ask("GET", f"/networks?{filters(type=['builtin'])}"),
    Ask("GET", f"/networks?{filters(dangling=['true', 'false'])}"),
    Ask("GET", "/networks?filters=nope"),
    create("runs", Cmd=["sleep", "1000"]), Ask("POST", "/containers/runs/start"),
    create("rests"),
    create("hostly", Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "host"}),
    create("nowhere", Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "none"}),
    create("guest", Cmd=["sleep", "1000"], HostConfig={"NetworkMode": "container:runs"}),
    *(Ask("POST", f"/containers/{name}/start") for name in ("hostly", "nowhere", "guest")),
    join("na", "runs", Aliases=["x"], IPAMConfig={"IPv4Address": "10.78.0.140"}),
    join("na", "runs"),
    Ask("GET", "/networks/na"), Ask("GET", "/containers/runs/json"),
    join("inner", "runs", IPAMConfig={"IPv4Address": "10.99.9.9"}),
    join("inner", "runs", IPAMConfig={"IPv4Address": "nope"}),
    join("inner", "runs", IPAMConfig={"IPv6Address": "fd99::9"}),
    join("pattern", "runs"),
    join("na", "rests", IPAMConfig={"IPv4Address": "10.78.0.140"}),
    Ask("POST", "/containers/rests/start"),
    join("bridge", "rests"),
    join("bridge", "rests", Aliases=["x"]),
    join("na", ""), Ask("POST", "/networks/na/connect", {}), join("nope", "runs"),
    join("na", "hostly"), join("na", "nowhere"), join("na", "guest"),
    join("host", "runs"), join("none", "runs"),
    leave("host", "hostly"), leave("nb", "runs"), leave("nope", "runs"), leave("na", "nope"),
    Ask("POST", "/networks/na/disconnect", {"Container": "nope", "Force": True}),
    Ask("DELETE", "/networks/na"), Ask("DELETE", "/networks/none"),
    leave("na", "runs"), leave("bridge", "runs"),
    Ask("POST", f"/networks/prune?{filters(label=['k=v'])}"),
    Ask("POST", f"/networks/prune?{filters(until=['1h'])}"),
    Ask("POST", f"/networks/prune?{filters(until=['nope'])}"),
    Ask("POST", f"/networks/prune?{filters(dangling=['true'])}"),
    *(Ask("DELETE", f"/containers/{name}?force=1")
      for name in ("guest", "runs", "rests", "hostly", "nowhere")),
    Ask("POST", "/networks/prune"), Ask("DELETE", "/networks/pattern"),
]  # fmt: skip
#: Found by hand beside docker's own command: what starts leave behind, limits told anew, copies at rest.
AT_REST = [
    create("rest", WorkingDir="/made/deep", HostConfig={"Memory": 67108864}),
    Ask("GET", "/containers/rest/archive?path=/made/deep"),
    Ask("GET", "/containers/rest/archive?path=/.dockerenv"),
    Ask("GET", "/containers/rest/archive?path=/etc/mtab"),
    Ask("GET", "/containers/rest/json"),
    Ask("POST", "/containers/rest/update", {"CpuPeriod": 10}),
    Ask("POST", "/containers/rest/update", {"CpuQuota": 10}),
    Ask("POST", "/containers/rest/update", {"Memory": 1}),
    Ask("POST", "/containers/rest/update", {"Memory": 1073741824}),
    Ask("POST", "/containers/rest/update", {"CpusetCpus": "99"}),
    Ask("POST", "/containers/rest/update", {"CpusetCpus": "x"}),
    Ask("POST", "/containers/rest/update", {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}),
    Ask("POST", "/containers/rest/update", {"PidsLimit": 7}),
    Ask("GET", "/containers/rest/json"),
    hosted("tmpfs", Mounts=[{"Type": "tmpfs", "Source": "x", "Target": "/x"}]),
    create("nobody", User="nobody-here"),
    Ask("POST", "/containers/nobody/start"),
    Ask("GET", "/containers/nobody/json"),
    create("nogroup", HostConfig={"GroupAdd": ["no-such-group"]}),
    Ask("POST", "/containers/nogroup/start"),
    Ask("GET", "/containers/nogroup/json"),
    create("over", HostConfig={"Binds": ["/tmp:/bin/busybox"]}),
    Ask("POST", "/containers/over/start"),
    Ask("GET", "/containers/over/json"),
    Ask("POST", "/commit?container=rest&repo=made&changes=ONBUILD%20RUN%20true"),
    Ask("POST", "/commit?container=rest&repo=made&changes=RUN%20true"),
    Ask("GET", "/images/made/json"),
    Ask("DELETE", "/images/made"),
    Ask("POST", "/build/prune?" + filters(label=["x"])),
    *(Ask("DELETE", f"/containers/{name}?force=1") for name in ("rest", "nobody", "nogroup", "over")),
]  # fmt: skip
#: What a failed start leaves in a container's state, by its name.
LEFT = {"nobody": ("created", 128), "nogroup": ("created", 128), "over": ("created", 127)}
ASKS = [*LIFE, *REFUSALS, *NETWORKS, *VOLUMES, *IMAGES, *CLIENTS, *SYSTEM, *CONNECTIONS, *AT_REST]

#: Other statuses on purpose: refused at create, where Docker lets the container be made and its start fail.
AT_CREATE = "told when the container is made, not when it is started"
STATUSES = {
    ask.target: AT_CREATE
    for ask in REFUSALS
    if ask.target.rpartition("name=")[2] in ("pid", "ipc", "ulimit", "limits", "protocol")
} | {
    "/containers/p-web-1/logs?stdout=1&tail=x": "docker reads any nonsense as all",
    f"/events?since=0&until=1&{filters(nope=['x'])}": "docker passes over a filter that there is none of",
    "/exec/{missing}/start": "while the head is not out an error has a status of its own",
    "/exec/{nobody}/start": "likewise",
    str(AUX): "a mistake in a request is 400, as for gateways and ranges",
}
#: Fields that Docker 20.10 has and later ones have not, or that tell of runc, containerd and Go;
#: and of cgroup v1's cpuacct, which a container joins only where its CPU is limited (v2 has none).
#: An image's layers are folders and nothing is mounted of them: it has no MergedDir and WorkDir.
GONE = (
    ".HostConfig.KernelMemory", ".HostConfig.KernelMemoryTCP", ".ContainerConfig", ".Container",
    ".ContainerdCommit", ".RuncCommit", ".InitCommit", ".Runtimes", ".BuilderSize",
    ".RegistryConfig", ".Details", ".Config.AttachStd", ".LowerDir", ".percpu_usage",
    ".Data.MergedDir", ".Data.WorkDir",
)  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Said, Said]]:
    """Everything that both engines said."""
    with running_dockerd(tmp_path_factory.mktemp("docker")) as host:
        import_image(host)
        theirs = put(host, ASKS)
    with running_engine(tmp_path_factory.mktemp("engine"), "10.194.0.0/16") as engine:
        import_image(engine.host)
        ours = put(engine.host, ASKS)
    return dict(enumerate(zip(theirs, ours, strict=True)))


@pytest.mark.parametrize("number", range(len(ASKS)), ids=[str(ask) for ask in ASKS])
def test_an_answer_is_dockers(answers: dict[int, tuple[Said, Said]], number: int) -> None:
    theirs, ours = answers[number]
    if theirs.status == 500:  # of docker also for mistakes of the request
        assert ours.status >= 400, f"docker: {theirs.body}; ours: {ours.body}"
    elif not STATUSES.keys() & {ASKS[number].target, str(ASKS[number])}:
        assert ours.status == theirs.status, f"docker: {theirs.body}; ours: {ours.body}"
    if ours.status >= 400:
        assert ours.message
        assert "\n" not in ours.message
        return
    wanted, found = kinds(theirs.body), kinds(ours.body)
    assert not lacking(wanted, found)


@pytest.mark.parametrize("name", LEFT)
def test_a_start_that_fails_leaves_dockers_state(
    answers: dict[int, tuple[Said, Said]], name: str
) -> None:
    (number,) = (n for n, ask in enumerate(ASKS) if ask.target == f"/containers/{name}/json")
    for said in answers[number]:
        state = said.body["State"]
        assert (state["Status"], state["ExitCode"]) == LEFT[name], state
        assert state["Error"]


def lacking(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """Key paths that ours lacks, or has with another kind of value."""
    return [
        f"{path}: docker has a {kind}, we {found.get(path, 'nothing')}"
        for path, kind in wanted.items()
        if kind != "none"
        and found.get(path) not in (kind, "none")
        and not any(word in path for word in GONE)
    ]
