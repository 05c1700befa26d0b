"""What a monitor itself must know of a container or an exec; the rest of the spec is its child's.

A monitor lives as long as its container, and every object that it makes costs it a page which it then
shares with nobody. So it never reads the spec: it hands the descriptor on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine.runtime.cgroups.tree import unified_mount
from engine.runtime.container_init import FLAGS
from engine.runtime.spec import Cgroup, ContainerSpec, LogTarget

if TYPE_CHECKING:
    from engine.runtime.spec import ExecSpec, Namespace


@dataclass(frozen=True, slots=True)
class Order:
    """`container` False is an exec. `makes` are the kinds of namespaces to make with the process."""

    id: str
    run_dir: str
    container: bool
    terminal: bool
    size: tuple[int, int] | None
    stdin_open: bool
    cgroup: Cgroup
    log: LogTarget | None
    makes: tuple[str, ...] = ()
    pid_namespace: str = ""  # one to join, by its nsfs path

    def fields(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "cgroup": (self.cgroup.mode, self.cgroup.path),
            "log": {n: getattr(self.log, n) for n in self.log.__slots__} if self.log else None,
        }

    def head(self) -> bytes:
        """What a monitor reads without JSON, with zeros between: its name, and of a container the
        flags of clone3(2), the unified cgroup's folder, the pid namespace to be born into."""
        words = [f"pyc-{self.id[:11]}"]
        if self.container:
            flags = sum(
                FLAGS[kind] for kind in self.makes if kind != "cgroup"
            )  # made in its cgroup
            top = unified_mount(self.cgroup.mode)
            words += [str(flags), f"{top}/{self.cgroup.path}" if top else "", self.pid_namespace]
        else:
            words += ["", "", ""]
        return "\0".join(words).encode()


def order_of(spec: ContainerSpec | ExecSpec) -> Order:
    """The order that goes with a spec."""
    process = spec.process
    mode: Literal["v1", "hybrid", "v2"] = spec.cgroup.mode
    container = isinstance(spec, ContainerSpec)
    namespaces = spec.namespaces if isinstance(spec, ContainerSpec) else ()
    return Order(
        id=spec.id,
        run_dir=spec.run_dir,
        container=container,
        terminal=process.terminal,
        size=process.terminal_size,
        stdin_open=process.stdin_open,
        cgroup=Cgroup(mode, spec.cgroup.path),
        log=spec.log if isinstance(spec, ContainerSpec) else None,
        makes=_made_at_birth(namespaces),
        pid_namespace=next((n.path for n in namespaces if n.path and n.kind == "pid"), ""),
    )


def _made_at_birth(namespaces: tuple[Namespace, ...]) -> tuple[str, ...]:
    """All that are new; those that a new user namespace is to own are made in it (user_namespace)."""
    made = tuple(n.kind for n in namespaces if not n.path)
    return tuple(kind for kind in made if kind in ("mount", "pid")) if "user" in made else made


def read_order(fields: dict[str, Any]) -> Order:
    """The inverse of `Order.fields`."""
    mode, path = fields.pop("cgroup")
    log = fields.pop("log")
    if log:
        log["attributes"] = tuple(map(tuple, log["attributes"]))
        log["fields"] = tuple(map(tuple, log["fields"]))
    return Order(**fields, cgroup=Cgroup(mode, path), log=LogTarget(**log) if log else None)
