"""The flags that say what a container is to be: those of `container run`, `create` and `update`. Data."""

from __future__ import annotations

from compose.cli.flags import Flag


def text(name: str, words: str, short: str = "", default: str | None = None) -> Flag:
    """A flag with one text."""
    return Flag(name, short, "text", words, default)


def several(name: str, words: str, short: str = "", metavar: str = "list") -> Flag:
    """A flag that may be given again."""
    return Flag(name, short, "list", words, metavar=metavar)


def number(
    name: str, words: str, short: str = "", metavar: str = "", default: int | None = None
) -> Flag:
    """A flag with an integer."""
    return Flag(name, short, "number", words, default, metavar=metavar)


#: What can be changed of a container that is there.
LIMITS = (
    number("blkio-weight", "Weight of its block I/O, 10 to 1000; 0 sets none", metavar="uint16"),
    number("cpu-period", "The CFS period of its CPU quota, in microseconds"),
    number("cpu-quota", "CPU time it may use in each CFS period, in microseconds"),
    number("cpu-rt-period", "The real-time scheduler's period, in microseconds"),
    number("cpu-rt-runtime", "Real-time CPU time in each period, in microseconds"),
    number("cpu-shares", "CPU weight beside other containers", "c"),
    Flag("cpus", kind="decimal", help="How many CPUs it may use"),
    text("cpuset-cpus", "The CPUs it may run on, as in 0-3 or 0,1"),
    text("cpuset-mems", "The memory nodes it may use, as in 0-3 or 0,1"),
    Flag("memory", "m", kind="bytes", help="Memory limit"),
    Flag("memory-reservation", kind="bytes", help="Memory that it is left with under pressure"),
    Flag("memory-swap", kind="bytes", help="Memory and swap together; -1 for no limit"),
    number("pids-limit", "How many processes it may have; -1 for no limit"),
)  # fmt: skip

NETWORK = (
    several("add-host", "A line for its /etc/hosts, as host:address"),
    several("dns", "A DNS server"),
    several("dns-option", "An option for its resolver"),
    several("dns-search", "A search domain"),
    text("domainname", "Its NIS domain name"),
    several("expose", "A port, or a range of ports, that it listens on"),
    text("hostname", "Its host name", "h"),
    text("ip", "Its IPv4 address (e.g. 172.30.100.104)"),
    text("ip6", "Its IPv6 address (e.g. 2001:db8::33)"),
    several("link", "Another container that it knows by a name"),
    several("link-local-ip", "A link-local address"),
    text("mac-address", "Its MAC address (e.g. 92:d0:c6:0a:29:33)"),
    several("network", "A network to connect it to", metavar="network"),
    several("network-alias", "Another name of it on its network"),
    several("publish", "Publish a port of it on the host", "p"),
    Flag("publish-all", "P", help="Publish all exposed ports on free ports of the host"),
)  # fmt: skip

STORAGE = (
    several("device", "A device of the host to give it"),
    several("device-cgroup-rule", "A rule for the devices it may use"),
    several("device-read-bps", "Bytes a second it may read from a device"),
    several("device-read-iops", "Reads a second from a device"),
    several("device-write-bps", "Bytes a second it may write to a device"),
    several("device-write-iops", "Writes a second to a device"),
    several("blkio-weight-device", "Weight of its block I/O on a device"),
    several("mount", "Something to mount, as type=bind,source=...,target=...", metavar="mount"),
    Flag("read-only", help="Mount its root file system read-only"),
    Flag("shm-size", kind="bytes", help="Size of /dev/shm"),
    several("storage-opt", "An option of the storage driver"),
    several("tmpfs", "A folder that is kept in memory"),
    Flag("use-api-socket", help="Give it the engine's socket, and our registry credentials"),
    several("volume", "A volume or a folder of the host to mount", "v"),
    text("volume-driver", "The driver of volumes that are made for it"),
    several("volumes-from", "A container whose volumes it gets too"),
)  # fmt: skip

SECURITY = (
    several("cap-add", "A capability to add"),
    several("cap-drop", "A capability to drop"),
    text("cgroup-parent", "The cgroup to put it in"),
    text("cgroupns", "Its cgroup namespace: host or private"),
    several("group-add", "A group to join"),
    text("ipc", "Its IPC namespace"),
    text("isolation", "How it is isolated (default, the one there is on Linux)"),
    text("pid", "Its PID namespace"),
    Flag("privileged", help="All that the engine may do"),
    text("runtime", "The runtime to use"),
    several("security-opt", "A security option"),
    several("sysctl", "A namespaced kernel parameter", metavar="map"),
    several("ulimit", "A resource limit, as name=soft:hard", metavar="ulimit"),
    text("user", "The user it runs as, name or number[:group]", "u"),
    text("userns", "Its user namespace"),
    text("uts", "Its UTS namespace"),
)  # fmt: skip

HEALTH = (
    text("health-cmd", "A command that tells whether it is well"),
    Flag("health-interval", kind="duration", help="Time between two checks"),
    number("health-retries", "Failures in a row that make it unhealthy"),
    Flag("health-start-interval", kind="duration", help="Time between checks while it starts"),
    Flag("health-start-period", kind="duration", help="Time to start in, when failures do not count"),
    Flag("health-timeout", kind="duration", help="How long a check may take"),
    Flag("no-healthcheck", help="Switch off the image's health check"),
)  # fmt: skip

PROCESS = (
    several("annotation", "An annotation, for the runtime", metavar="map"),
    several("attach", "Attach to STDIN, STDOUT or STDERR", "a"),
    text("cidfile", "A file to write the container's id to"),
    Flag("disable-content-trust", default=True, help="Take images without a signature"),
    text("entrypoint", "The program to run instead of the image's entrypoint"),
    several("env", "An environment variable, K=V or K for our own value", "e"),
    several("env-file", "A file of environment variables"),
    Flag("gpus", kind="text", metavar="gpu-request", help="GPUs to give it; all for all"),
    Flag("init", help="Run a small init as its first process"),
    Flag("interactive", "i", help="Keep its STDIN open"),
    several("label", "A label, K=V", "l"),
    several("label-file", "A file of labels"),
    text("log-driver", "Where its output goes"),
    several("log-opt", "An option of the log driver"),
    number("memory-swappiness", "How readily its memory is swapped, 0 to 100", default=-1),
    text("name", "Its name"),
    Flag("oom-kill-disable", help="Let it wait instead of killing it when memory is out"),
    number("oom-score-adj", "How likely it is to be killed when memory is out, -1000 to 1000"),
    text("platform", "The platform of the image, of an image that has several"),
    text("pull", "When to pull the image: always, missing or never", default="missing"),
    Flag("quiet", "q", help="Tell nothing of a pull"),
    text("restart", "When to start it again after its end", default="no"),
    Flag("rm", help="Remove it and its anonymous volumes at its end"),
    text("stop-signal", "The signal that asks it to stop"),
    number("stop-timeout", "Seconds that it has to stop in"),
    Flag("tty", "t", help="Give it a terminal"),
    text("workdir", "The folder it starts in", "w"),
)  # fmt: skip

#: Flags of other systems, or of the past: named in the error that they end in.
REFUSED = {
    "cpu-count": "it is for Windows",
    "cpu-percent": "it is for Windows",
    "io-maxbandwidth": "it is for Windows",
    "io-maxiops": "it is for Windows",
    "kernel-memory": "kernels know no such limit any more: use --memory",
}
ELSEWHERE = (
    number("cpu-count", "Not on Linux: number of CPUs"),
    number("cpu-percent", "Not on Linux: share of the CPUs"),
    Flag("io-maxbandwidth", kind="bytes", help="Not on Linux: bandwidth of the system drive"),
    number("io-maxiops", "Not on Linux: I/O operations on the system drive", metavar="uint"),
    Flag("kernel-memory", kind="bytes", help="No longer known by kernels: kernel memory"),
)  # fmt: skip

CREATE_FLAGS = (*LIMITS, *NETWORK, *STORAGE, *SECURITY, *HEALTH, *PROCESS, *ELSEWHERE)
