"""An engine that exists only as a value: what a plan's steps would make of a snapshot."""

from __future__ import annotations

import hashlib
import re

from compose.engine_client.payloads.container import ContainerSpec, container_labels, image_of
from compose.engine_client.payloads.mounts import ANONYMOUS
from compose.model import labels
from compose.model.observed import (
    Observed,
    ObservedContainer,
    ObservedMount,
    ObservedNetwork,
    ObservedVolume,
)
from compose.model.project import Project
from compose.model.record import changed
from compose.planner import steps as s
from compose.planner.config_hash import contents_hash, network_hash, service_hash, volume_hash
from compose.planner.steps import Plan


class SimulatedEngine:
    """Applies steps one by one, and asserts that each could have been done."""

    def __init__(self, project: Project, observed: Observed, image_ids: dict[str, str]) -> None:
        self.project = project
        self.image_ids = image_ids
        self.containers = {one.id: one for one in observed.containers}
        self.networks = {one.id: one for one in observed.networks}
        self.volumes = {one.name: one for one in observed.volumes}
        self.images = observed.images
        self.made: dict[str, str] = {}
        self._count = 0

    def run(self, plan: Plan) -> Observed:
        """All steps, in their order; needs must be done before."""
        done: set[str] = set()
        for step in plan.steps:
            assert step.needs <= done, f"{step.id} before {step.needs - done}"
            assert step.id not in done, f"{step.id} twice"
            self.apply(step)
            done.add(step.id)
        return Observed(
            tuple(self.containers.values()),
            tuple(self.networks.values()),
            tuple(self.volumes.values()),
            self.images,
        )

    def find(self, ref: str) -> ObservedContainer:
        """By id or name; a name is first that of what was made here, as for the executor."""
        ref = self.made.get(ref, ref)
        if ref in self.containers:
            return self.containers[ref]
        return next(one for one in self.containers.values() if one.name == ref)

    def change(self, ref: str, **values: object) -> None:
        """Change a container."""
        found = self.find(ref)
        self.containers[found.id] = changed(found, **values)

    def new_id(self, kind: str) -> str:
        """An id nobody has."""
        self._count += 1
        seed = f"{kind} {self._count} {sorted(self.containers)} {sorted(self.networks)}"
        return hashlib.sha256(seed.encode()).hexdigest()

    def apply(self, step: s.Step) -> None:
        """The effect of one step."""
        match step:
            case s.CreateNetwork():
                assert step.name not in {one.name for one in self.networks.values()}
                network = self.project.networks[step.key]
                own = {
                    labels.PROJECT: self.project.name,
                    labels.NETWORK: step.key,
                    labels.CONFIG_HASH: network_hash(network),
                }
                made = ObservedNetwork(self.new_id("network"), step.name, own)
                self.networks[made.id] = made
            case s.RemoveNetwork():
                users = [c for c in self.containers.values() if step.ref in c.networks.values()]
                assert not users
                del self.networks[step.ref]
            case s.DisconnectContainer():
                found = self.find(step.ref)
                assert not found.is_running
                left = {k: v for k, v in found.networks.items() if v != step.network}
                self.change(step.ref, networks=left)
            case s.CreateVolume():
                assert step.name not in self.volumes
                volume = self.project.volumes[step.key]
                own = {labels.PROJECT: self.project.name, labels.CONFIG_HASH: volume_hash(volume)}
                self.volumes[step.name] = ObservedVolume(step.name, own)
            case s.RemoveVolume():
                users = [
                    c for c in self.containers.values() if step.name in [m.name for m in c.mounts]
                ]
                assert not users
                del self.volumes[step.name]
            case s.CreateContainer():
                self.create(step)
            case s.RenameContainer():
                assert step.name not in {one.name for one in self.containers.values()}
                self.change(step.ref, name=step.name)
            case s.StartContainer():
                found = self.find(step.ref)
                assert not found.is_running
                assert set(found.networks.values()) <= set(self.networks)
                self.change(step.ref, state="running", health="")
            case s.StopContainer() | s.KillContainer():
                assert self.find(step.ref).is_running
                self.change(step.ref, state="exited", exit_code=0)
            case s.RemoveContainer():
                found = self.find(step.ref)
                assert not found.is_running
                del self.containers[found.id]
            case s.UploadFiles() | s.RunHook() | s.Delay() | s.WaitCondition() | s.WatchUpdate():
                pass
            case _:
                raise AssertionError(step)

    def create(self, step: s.CreateContainer) -> None:
        """A container as the executor would make it."""
        service = self.project.services[step.service]
        name = step.temporary or step.name
        assert name not in {one.name for one in self.containers.values()}
        peers: dict[str, list[tuple[str, str]]] = {}
        for one in sorted(self.containers.values(), key=lambda one: one.name):
            peers.setdefault(one.service, []).append((one.name, one.id))
        shared = {peer: found[0][1] for peer, found in peers.items()}
        spec = ContainerSpec(
            name=step.name,
            number=step.number,
            config_hash=service_hash(service, shared),
            contents_hash=contents_hash(self.project, service),
            image_id=self.image_ids.get(step.service, ""),
        )
        there = {one.name: one.id for one in self.networks.values()}
        wanted = [self.project.networks[key].name for key in service.networks]
        assert set(wanted) <= set(there), "a network is missing"
        mounts = []
        for mount in service.volumes:
            source = self.project.volumes[mount.source].name if mount.source else "a" * 64
            assert source in self.volumes or re.fullmatch(ANONYMOUS, source), "a volume is missing"
            mounts.append(ObservedMount("volume", mount.target, source))
        container_id = self.new_id("container")
        self.made[step.name] = self.made[name] = container_id
        self.containers[container_id] = ObservedContainer(
            id=container_id,
            name=name,
            service=step.service,
            number=step.number,
            image=image_of(self.project, service),
            networks={one: there[one] for one in wanted},
            mounts=tuple(mounts),
            labels=container_labels(self.project, service, spec),
        )
