"""Containers for tests: a busybox root, a fork server, and a tag by which leftovers are known."""

from __future__ import annotations

import os
import secrets
import signal
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.host import HostFacts, probe_host
from engine.runtime.cgroups import tree
from engine.runtime.compile import ContainerInputs, capabilities, compile_container, compile_exec
from engine.runtime.seccomp import compiled_profile
from engine.runtime.spec import ContainerSpec, LogTarget, Process, Rootfs
from tests.e2e.traces import Traces

if TYPE_CHECKING:
    from engine.processes.attachment import Attachment
    from engine.processes.client import ExitRecord, ForkServer, Monitor, Prepared

APPLETS = (
    "cat", "chmod", "chown", "dd", "echo", "env", "false", "grep", "head", "hostname", "id", "kill",
    "ls", "mkdir", "mknod", "mount", "nohup", "od", "ps", "pwd", "readlink", "rm", "sed", "setsid",
    "sh", "sleep", "stat", "stty", "sync", "tail", "test", "touch", "tr", "true", "tty", "umount",
    "unshare", "wc", "yes", "timeout", "awk", "df", "find",
)  # fmt: skip
PASSWD = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:web:/var/www:/bin/sh\n"
GROUP = "root:x:0:\nwww:x:33:\nlogs:x:44:www\n"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_root(folder: Path) -> None:
    """Debian's static busybox with its applets, and two small tables of users."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (folder / "bin/busybox").chmod(0o755)
    for applet in APPLETS:
        (folder / f"bin/{applet}").symlink_to("busybox")
    (folder / "etc").mkdir()
    (folder / "etc/passwd").write_text(PASSWD)
    (folder / "etc/group").write_text(GROUP)
    folder.chmod(0o755)


@dataclass
class Outcome:
    """What a finished container said, and how it ended."""

    exit_code: int
    out: str
    err: str
    record: ExitRecord

    def __str__(self) -> str:
        return f"exit {self.exit_code}\n{self.out}\n{self.err}"


@dataclass
class Cell:
    """One test's containers. `tag` is in their cgroup's path and in their environment."""

    folder: Path
    tag: str
    base: Path
    host: HostFacts = field(default_factory=probe_host)
    forks: ForkServer | None = None
    monitors: list[Monitor] = field(default_factory=list)

    @property
    def server(self) -> ForkServer:
        """The fork server, which the fixture has opened."""
        assert self.forks
        return self.forks

    def spec(self, *args: str, lower: tuple[Path, ...] = (), **inputs: Any) -> ContainerSpec:
        """A container's spec with Docker's defaults; `lower` are folders on top of busybox."""
        ident = secrets.token_hex(32)
        folder = self.folder / ident[:12]
        for name in ("upper", "work", "merged", "run"):
            (folder / name).mkdir(parents=True)
            (folder / name).chmod(0o755)
        layers = (*(str(path) for path in lower), str(self.base))
        read_only = inputs.pop("read_only", False)
        rootfs = Rootfs(
            layers, *(str(folder / n) for n in ("upper", "work", "merged")), read_only=read_only
        )
        held = capabilities(
            inputs.get("cap_add", ()), inputs.get("cap_drop", ()), self.host,
            privileged=inputs.get("privileged", False),
        )  # fmt: skip
        cache = str(self.folder / "seccomp")
        inputs.setdefault("seccomp", compiled_profile(held.effective, self.host.machine, cache))
        inputs.setdefault("log", LogTarget("none"))
        environment = (f"PATH={PATH}", f"CELL={self.tag}", *inputs.pop("env", ()))
        asked = ContainerInputs(
            id=ident, engine_id=self.tag, rootfs=rootfs, args=args, env=environment,
            run_dir=str(folder / "run"), **inputs,
        )  # fmt: skip
        return compile_container(asked, self.host).spec

    async def prepare(self, spec: ContainerSpec) -> Prepared:
        """Up to the point where the program would start; its network is given back at once."""
        return self._take(await self.server.prepare(spec))

    async def start(self, *args: str, **inputs: Any) -> Monitor:
        """A container whose program runs."""
        prepared = await self.prepare(self.spec(*args, **inputs))
        await prepared.start()
        return prepared.monitor

    async def run(self, *args: str, **inputs: Any) -> Outcome:
        """A container's whole life; its output from the first byte on. Raises StartError."""
        return await self.finish(await self.prepare(self.spec(*args, **inputs)))

    async def sh(self, script: str, **inputs: Any) -> Outcome:
        """The same for a line of shell."""
        return await self.run("sh", "-c", script, **inputs)

    async def finish(self, prepared: Prepared) -> Outcome:
        """Start what is prepared, attached before, and hear it out."""
        attachment = await prepared.monitor.attach(stdin=False, stdout=True, stderr=True)
        try:
            await prepared.start()
        except BaseException:
            await attachment.aclose()
            raise
        return await hear_out(prepared.monitor, attachment)

    async def exec(self, spec: ContainerSpec, monitor: Monitor, *args: str, **more: Any) -> Outcome:
        """A further process in a running container. Raises StartError."""
        return await self.finish(await self.enter(spec, monitor, *args, **more))

    async def enter(
        self, spec: ContainerSpec, monitor: Monitor, *args: str, **more: Any
    ) -> Prepared:
        """The same up to the point where its program would start."""
        own = spec.process
        process = Process(
            **{
                "args": args, "env": own.env, "capabilities": own.capabilities,
                "seccomp": own.seccomp, **more,
            }
        )  # fmt: skip
        ident = secrets.token_hex(32)
        run_dir = str(self.folder / f"exec-{ident[:12]}")
        exec_spec = compile_exec(ident, spec, monitor.pid, monitor.start_time, process, run_dir)
        return self._take(await self.server.start_exec(exec_spec))

    def _take(self, prepared: Prepared) -> Prepared:
        for fd in (prepared.netns_fd, *(prepared.dns_sockets or ())):
            if fd is not None:
                os.close(fd)
        self.monitors.append(prepared.monitor)
        return prepared

    async def end(self) -> None:
        """End what a test has left running."""
        with trio.CancelScope(shield=True), trio.move_on_after(20):
            for monitor in self.monitors:
                try:
                    monitor.signal(signal.SIGKILL)
                except ProcessLookupError:
                    continue
                await monitor.wait_exit()

    def leftovers(self) -> list[str]:
        """What is on the machine of this cell's."""
        tree.remove_parent(self.host.cgroup_mode, f"pycompose-{self.tag}")
        return Traces.of(self.folder, self.tag).words()


async def hear_out(monitor: Monitor, attachment: Attachment) -> Outcome:
    """All that comes until the end."""
    said = {1: b"", 2: b""}
    with trio.fail_after(60):
        async for number, data in attachment.frames():
            said[number] += data
        await attachment.aclose()
        record = await monitor.wait_exit()
    return Outcome(record.exit_code, said[1].decode(), said[2].decode(), record)


async def read_until(attachment: Attachment, word: bytes) -> bytes:
    """What comes until `word` is in it."""
    seen = b""
    with trio.fail_after(30):
        async with aclosing(attachment.frames()) as frames:
            async for _, data in frames:
                seen += data
                if word in seen:
                    return seen
    raise AssertionError(f"ended without {word!r}: {seen!r}")


async def until(condition: Any, *arguments: Any) -> None:
    """Wait for what only the kernel's tables tell (there is no event for it)."""
    with trio.fail_after(30):
        while not condition(*arguments):
            await trio.sleep(0.005)
