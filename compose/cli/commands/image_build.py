"""`image build`."""

from __future__ import annotations

import json

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NUMBERS = {
    "cpu_period": "cpuperiod", "cpu_quota": "cpuquota", "cpu_shares": "cpushares",
    "memory": "memory", "memory_swap": "memswap", "shm_size": "shmsize",
}  # fmt: skip
TEXTS = {
    "cgroup_parent": "cgroupparent", "cpuset_cpus": "cpusetcpus", "cpuset_mems": "cpusetmems",
    "platform": "platform", "target": "target",
}  # fmt: skip
SWITCHES = {"no_cache": "nocache", "pull": "pull", "squash": "squash", "force_rm": "forcerm"}  # fmt: skip


def build(options: Options, invocation: Invocation) -> int:
    """Build an image and print its id if nothing else is told."""
    from compose.operations.image_build import ImageBuildRequest
    from compose.operations.image_build import build as operation

    if options.security_opt:
        raise UsageError("--security-opt is not supported by builds: what is run has the default")
    if options.isolation not in ("", "default"):
        raise UsageError(f'--isolation "{options.isolation}" is for Windows')
    if not options.disable_content_trust:
        raise UsageError(
            "--disable-content-trust=false is not supported: signatures are not checked"
        )
    (context,) = options.arguments
    request = ImageBuildRequest(
        context, query_of(options, invocation), options.file, options.quiet, options.push,
        options.secret, options.ssh, options.build_context, options.cache_from, options.cache_to,
        options.no_cache_filter, options.check or options.call in ("check", "lint"),
    )  # fmt: skip
    if options.call not in ("", "build", "check", "lint"):
        raise UsageError(f'--call "{options.call}" is not supported: use build or check')
    if mode := options.progress:
        invocation.options["progress"] = "json" if mode == "rawjson" else mode
    session = invocation.session(quiet=options.quiet)
    for name in ("provenance", "sbom"):
        if options[name] not in ("", "false"):
            session.progress.warn(f"--{name} is not supported, it will be ignored")
    image_id = operation(request, session)
    invocation.close()
    if options.iidfile:
        from pathlib import Path

        Path(options.iidfile).write_text(image_id)
    if options.quiet:
        print(image_id)
    return 0


def query_of(options: Options, invocation: Invocation) -> dict[str, Any]:
    """The API's parameters. Raises UsageError."""
    from compose.cli.container_network import extra_host
    from compose.cli.container_request import ulimit
    from compose.cli.key_values import pairs

    arguments: dict[str, str] = {}
    if epoch := invocation.environment.get("SOURCE_DATE_EPOCH"):
        arguments["SOURCE_DATE_EPOCH"] = epoch  # as docker's BuildKit client does
    for text in options.build_arg:
        name, equals, value = text.partition("=")
        if equals or name in invocation.environment:
            arguments[name] = value if equals else invocation.environment[name]
    query: dict[str, Any] = {
        "t": list(options.tag),
        "rm": "1" if options.rm else "0",
        "buildargs": json.dumps(arguments) if arguments else "",
        "labels": json.dumps(pairs(options.label, "--label", bare=True)) if options.label else "",
        "networkmode": options.network if options.network != "default" else "",
        "extrahosts": [extra_host(text) for text in options.add_host],
        "ulimits": json.dumps([ulimit(text) for text in options.ulimit]) if options.ulimit else "",
    }
    query |= {key: str(options[name]) for name, key in NUMBERS.items() if options[name]}
    query |= {key: options[name] for name, key in TEXTS.items()}
    query |= {key: "1" for name, key in SWITCHES.items() if options[name]}
    return {key: value for key, value in query.items() if value}


COMMANDS = {
    "build": Command(
        "image build [OPTIONS] PATH | URL | -",
        "Build an image from a Dockerfile",
        (
            Flag("add-host", kind="list", metavar="list", help="A line for /etc/hosts of what is run, as host:address"),
            Flag("build-arg", kind="list", metavar="list", help="A build argument, K=V or K for our own value"),
            Flag("build-context", kind="list", metavar="list", help="A named context, name=folder, URL or docker-image://image"),
            Flag("cache-from", kind="list", metavar="list", help="Images or places (type=registry|local,...) whose cache may be taken"),
            Flag("cache-to", kind="list", metavar="list", help="Where the cache goes (type=registry|local|inline,...)"),
            Flag("call", kind="text", hidden=True, help="build or check"),
            Flag("cgroup-parent", kind="text", help="The cgroup to put what is run in"),
            Flag("check", help="Check the Dockerfile, build nothing"),
            Flag("compress", help="Accepted: the engine is near, and the context goes as it is"),
            Flag("cpu-period", kind="number", help="The CFS period of the CPU quota, in microseconds"),
            Flag("cpu-quota", kind="number", help="CPU time in each CFS period, in microseconds"),
            Flag("cpu-shares", "c", kind="number", help="CPU weight beside others"),
            Flag("cpuset-cpus", kind="text", help="The CPUs to run on, as in 0-3 or 0,1"),
            Flag("cpuset-mems", kind="text", help="The memory nodes to use, as in 0-3 or 0,1"),
            Flag("disable-content-trust", default=True, help="Take images without a signature"),
            Flag("file", "f", kind="text", help="The Dockerfile, - for standard input (PATH/Dockerfile without it)"),
            Flag("force-rm", help="Keep nothing of a step that failed"),
            Flag("iidfile", kind="text", help="A file to write the image's id to"),
            Flag("isolation", kind="text", help="How it is isolated (default, the one there is on Linux)"),
            Flag("label", kind="list", metavar="list", help="A label, K=V"),
            Flag("memory", "m", kind="bytes", help="Memory limit"),
            Flag("memory-swap", kind="bytes", help="Memory and swap together; -1 for no limit"),
            Flag("network", kind="text", default="default", help="The network of what is run"),
            Flag("load", default=True, hidden=True, help="Keep the image (it always is)"),
            Flag("no-cache", help="Take nothing from the cache"),
            Flag("no-cache-filter", kind="strings", help="Stages that take nothing from the cache"),
            Flag("platform", kind="text", help="The platform to build for"),
            Flag("progress", kind="text", help="How it is told (auto, tty, plain, rawjson, quiet)"),
            Flag("provenance", kind="text", hidden=True),
            Flag("pull", help="Look for newer base images"),
            Flag("push", help="Push the image under all its names"),
            Flag("quiet", "q", help="Tell the image's id alone"),
            Flag("rm", default=True, help="Keep nothing of the steps"),
            Flag("sbom", kind="text", hidden=True),
            Flag("secret", kind="list", metavar="list", help="A secret, id=NAME,src=FILE or id=NAME,env=VARIABLE"),
            Flag("security-opt", kind="strings", help="A security option (not supported)"),
            Flag("shm-size", kind="bytes", help="Size of /dev/shm"),
            Flag("ssh", kind="list", metavar="list", help="An ssh agent or key, default or name=SOCKET|KEY"),
            Flag("squash", help="One layer of all that is new"),
            Flag("tag", "t", kind="list", metavar="list", help="A name for the image, name:tag"),
            Flag("target", kind="text", help="The stage to build"),
            Flag("ulimit", kind="list", metavar="ulimit", help="A resource limit, as name=soft:hard"),
        ),
        build,
        least=1,
        most=1,
    )
}  # fmt: skip
