"""Steps that are one call: the call, what its answer means, and what a refusal means. No I/O.

Both ways of carrying a plan out stand on this: execute.py on trio, quick.py without an event loop.
"Already so" is success.
"""

from __future__ import annotations

from compose.engine_client import calls
from compose.engine_client.payloads.container import (
    ContainerSpec,
    container_name_of,
    create_request,
    image_of,
)
from compose.engine_client.payloads.networking import MANY_ENDPOINTS, network_body, volume_body
from compose.errors import EngineRefusedError
from compose.planner import steps as s
from compose.planner.config_hash import contents_hash, network_hash, service_hash, volume_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.engine_client.call import Answer, Call
    from compose.engine_client.payloads.container import CreateRequest
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Progress
    from compose.operations.world import World
    from compose.planner.steps import Step

IN_USE, GONE = "Resource is still in use", "No resource found to remove"


class OneCall:
    """Remembers what the steps have made: who comes later may share its namespaces or links."""

    def __init__(self, world: World, version: tuple[int, int], progress: Progress) -> None:
        self._world = world
        self._version = version
        self._progress = progress
        #: service -> name -> id of the containers there are by now.
        self._peers: dict[str, dict[str, str]] = {}
        #: name -> id of the containers made here: a replacement's name is another's for a while.
        self._made: dict[str, str] = {}
        self._mounts = {one.id: one.mounts for one in world.observed.containers}
        for one in world.observed.containers:
            if not one.oneoff:
                self._peers.setdefault(one.service, {})[one.name] = one.id

    @property
    def project(self) -> Project:
        """The project of steps that make something."""
        assert self._world.project is not None
        return self._world.project

    def can_do(self, steps: Sequence[Step]) -> bool:
        """Whether each of these steps is one call, in any order that their needs allow."""
        return all(self._is_one_call(step) for step in steps)

    def _is_one_call(self, step: Step) -> bool:
        if isinstance(step, s.CreateContainer):
            options = self.project.services[step.service].security_opt
            reads = any(one.startswith(("seccomp=", "seccomp:")) for one in options)
            return self._version >= MANY_ENDPOINTS and not reads
        if isinstance(step, s.StartContainer) and self._world.project is not None:
            service = self.project.services.get(step.service)
            return service is None or not has_port_range(service)
        more = s.RunHook | s.Delay | s.WaitCondition | s.WatchUpdate | s.PullImage | s.BuildImage
        return not isinstance(step, more)

    def call(self, step: Step) -> Call | None:  # noqa: C901, PLR0911, PLR0912  # an arm a step
        """The call of a step; None where there is nothing to do. Raises ProjectError."""
        match step:
            case s.CreateNetwork():
                network = self.project.networks[step.key]
                hashed = network_hash(network, self._world.encode)
                return calls.create_network(network_body(self.project, network, hashed))
            case s.RemoveNetwork():
                return calls.remove_network(step.ref)
            case s.DisconnectContainer():
                return calls.disconnect_network(step.network, step.ref)
            case s.CreateVolume():
                volume = self.project.volumes[step.key]
                hashed = volume_hash(volume, self._world.encode)
                return calls.create_volume(volume_body(self.project, volume, hashed))
            case s.RemoveVolume():
                return calls.remove_volume(step.name)
            case s.RemoveImage():
                return calls.remove_image(step.name)
            case s.CreateContainer():
                body = self.create_request(step, {}).body
                platform = self.project.services[step.service].platform
                return calls.create_container(step.temporary or step.name, body, platform)
            case s.UploadFiles():
                return self._upload(step)
            case s.RenameContainer():
                return calls.rename_container(self.ref(step.ref), step.name)
            case s.StartContainer():
                return calls.start_container(self.ref(step.ref))
            case s.StopContainer():
                return calls.stop_container(step.ref, step.timeout)
            case s.RestartContainer():
                return calls.restart_container(step.ref, step.timeout)
            case s.KillContainer():
                return calls.kill_container(step.ref, step.signal)
            case s.PauseContainer():
                wanted = calls.unpause_container if step.thaw else calls.pause_container
                return wanted(step.ref)
            case s.RemoveContainer():
                force = not step.quiet
                return calls.remove_container(step.ref, volumes=step.volumes, force=force)
            case _:
                raise AssertionError(f"{step.id} is more than a call")

    def _upload(self, step: s.UploadFiles) -> Call | None:
        from compose.operations.uploads import upload

        service = self.project.services[step.service]
        return upload(self.project, service, step.kind, self.ref(step.ref))

    def create_request(self, step: s.CreateContainer, profiles: Mapping[str, str]) -> CreateRequest:
        """What a container is asked for with. Raises ProjectError."""
        service = self.project.services[step.service]
        image = self._world.observed.images.get(image_of(self.project, service))
        spec = ContainerSpec(
            name=step.name,
            number=step.number,
            config_hash=service_hash(service, self.first_peers(), self._world.encode),
            contents_hash=contents_hash(self.project, service),
            image_id=self._world.image_ids.get(service.name, ""),
            replaces=container_name_of(self.project, service, step.number) if step.replaces else "",
            inherited=self._mounts.get(step.replaces, ()) if step.inherits else (),
            image_volumes=image.volumes if image else (),
            peers=self.peers(),
            profiles=profiles,
        )
        return create_request(self.project, service, spec, self._version)

    def ref(self, ref: str) -> str:
        """The id of what was made here under that name."""
        return self._made.get(ref, ref)

    def peers(self) -> dict[str, list[tuple[str, str]]]:
        """service -> its containers (name, id) by name."""
        return {name: sorted(ids.items()) for name, ids in self._peers.items()}

    def first_peers(self) -> dict[str, str]:
        """service -> the id of its first container."""
        return {name: min(ids.items())[1] for name, ids in self._peers.items() if ids}

    def done(self, step: Step, answer: Answer) -> str:
        """Remember what an answer says; "" or the word to tell instead of the usual one."""
        match step:
            case s.CreateContainer():
                self.created(step, answer.json())
            case s.RemoveContainer():
                for names in self._peers.values():
                    for name in [one for one, ref in names.items() if ref == step.ref]:
                        del names[name]
            case s.RemoveNetwork() | s.RemoveVolume() | s.RemoveImage():
                return GONE if answer.status == 404 else ""
            case _:
                pass
        return ""

    def created(self, step: s.CreateContainer, made: Mapping[str, object]) -> None:
        """A container is there: `made` is the engine's answer."""
        warnings = made.get("Warnings")
        for warning in warnings if isinstance(warnings, list) else ():
            self._progress.report(step.service, "Warning", "warning", str(warning))
        names = self._peers.setdefault(step.service, {})
        for old in [one for one, ref in names.items() if ref == step.replaces]:
            del names[old]
        names[step.name] = str(made["Id"])
        self._made[step.name] = self._made[step.temporary or step.name] = str(made["Id"])

    def refused(self, step: Step, error: EngineRefusedError) -> str:
        """The word to tell where a refusal is no failure. Raises the error where it is one."""
        match step:
            case s.RemoveNetwork() | s.RemoveVolume() | s.RemoveImage():
                if error.status in (403, 409):
                    return IN_USE
                if error.status == 404:
                    return GONE
            case s.KillContainer():
                if error.status in (404, 409):
                    return ""  # it ended or left meanwhile
            case s.UploadFiles() if error.status == 403:
                from compose.operations.uploads import read_only_error

                service = self.project.services[step.service]
                text = str(read_only_error(service, step.kind, service.secrets[0].source))
                raise EngineRefusedError(text, status=error.status) from error
            case s.CreateNetwork():
                raise EngineRefusedError(
                    f"failed to create network {step.name}: {error}", status=error.status
                ) from error
            case _:
                pass
        raise error


def has_port_range(service: Service) -> bool:
    """Whether ports are chosen from a range: two that start at once may be given the same."""
    return any("-" in port.published for port in service.ports)


def named(subject: str, error: EngineRefusedError) -> EngineRefusedError:
    """The engine's refusal, saying what it is about where the engine does not."""
    text = str(error)
    if subject.rpartition(" ")[2] in text:
        return error
    return EngineRefusedError(f"{subject}: {text}", status=error.status)


def is_patient(step: Step) -> bool:
    """Whether a step, once begun, is given time to end when the person cancels: short calls are."""
    waits = (
        s.WaitCondition | s.WatchUpdate | s.Delay | s.StopContainer | s.RestartContainer | s.RunHook
    )
    return not isinstance(step, waits | s.PullImage | s.BuildImage)


def is_conflict(error: Exception) -> bool:
    """Whether somebody else changed the engine's state meanwhile, so that planning again may help."""
    return isinstance(error, EngineRefusedError) and error.status == 409
