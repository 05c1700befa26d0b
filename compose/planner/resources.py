"""Networks and volumes of a plan: what is there, what is missing, what no longer matches. Pure."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.model import labels
from compose.planner.config_hash import network_hash, plain_json, volume_hash
from compose.planner.steps import (
    CreateNetwork,
    CreateVolume,
    DisconnectContainer,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StopContainer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model.network import Network
    from compose.model.observed import Observed, ObservedContainer, ObservedNetwork
    from compose.model.project import Project
    from compose.model.volume import Volume
    from compose.planner.config_hash import Encode
    from compose.planner.policy import UpPolicy
    from compose.planner.steps import Step


class Resources:
    """The steps for networks and volumes, and what containers must know of them.

    `ready`: key of a network or volume -> id of the step that makes it, where one does.
    `stale`: containers that must be replaced because a network or volume of theirs is.
    `gone`: containers that are removed here already.
    """

    def __init__(
        self, project: Project, observed: Observed, policy: UpPolicy, encode: Encode = plain_json
    ) -> None:
        self.steps: list[Step] = []
        self.warnings: list[str] = []
        self.ready_networks: dict[str, str] = {}
        self.ready_volumes: dict[str, str] = {}
        self.network_ids: dict[str, str] = {}
        self.stale: dict[str, str] = {}
        self.stopped: dict[str, str] = {}
        self.gone: dict[str, str] = {}
        self._project = project
        self._observed = observed
        self._policy = policy
        self._encode = encode
        using = [*project.services.values(), *(project.disabled[name] for name in policy.beside)]
        used_networks = {key for service in using for key in service.networks}
        used_volumes = {
            mount.source for service in using for mount in service.volumes
            if mount.type == "volume"
        }  # fmt: skip
        for key, network in project.networks.items():
            if key in used_networks:
                self._network(key, network)
        for key, volume in project.volumes.items():
            if key in used_volumes:
                self._volume(key, volume)

    def _network(self, key: str, network: Network) -> None:
        found = [net for net in self._observed.networks if net.name == network.name]
        if network.external:
            found = found or [net for net in self._observed.networks if net.id == network.name]
            if not found:
                raise ProjectError(
                    f"network {network.name} declared as external, but could not be found"
                )
            if len(found) > 1:
                raise ProjectError(
                    f'multiple networks with name "{network.name}" were found. '
                    "Use network ID as `name` to avoid ambiguity"
                )
            self.network_ids[key] = found[0].id
            return
        own = [net for net in found if net.labels.get(labels.PROJECT) == self._project.name]
        if not found:
            self._create_network(key, network, frozenset(), "missing")
            return
        net = (own or found)[0]
        self._check_network(key, network, net)
        now, wanted = net.labels.get(labels.CONFIG_HASH, ""), network_hash(network, self._encode)
        if now and now != wanted and net.labels.get(labels.PROJECT) == self._project.name:
            self._replace_network(key, network, net)
            return
        self.network_ids[key] = net.id

    def _check_network(self, key: str, network: Network, net: ObservedNetwork) -> None:
        owner = net.labels.get(labels.PROJECT)
        if owner != self._project.name:
            made = "was not created by compose" if owner is None else (
                f'was not created for project "{self._project.name}"'
            )  # fmt: skip
            self.warnings.append(
                f"a network with name {network.name} exists but {made}.\n"
                "Set `external: true` to use an existing network"
            )
        if net.labels.get(labels.NETWORK, "") != key:
            raise ProjectError(
                f"network {network.name} was found but has incorrect label {labels.NETWORK} set to "
                f'"{net.labels.get(labels.NETWORK, "")}" (expected: "{key}")'
            )

    def _create_network(
        self, key: str, network: Network, needs: frozenset[str], cause: str
    ) -> None:
        step_id = f"create network {network.name}"
        self.steps.append(
            CreateNetwork(id=step_id, needs=needs, cause=cause, key=key, name=network.name)
        )
        self.ready_networks[key] = step_id

    def _replace_network(self, key: str, network: Network, net: ObservedNetwork) -> None:
        freed: set[str] = set()
        for container in self._observed.containers:
            if network.name not in container.networks:
                continue
            stop = self._stop(container, f"network {network.name} changed")
            step = DisconnectContainer(
                id=f"disconnect {container.name} from {network.name}", needs=stop,
                network=net.id, ref=container.id, name=container.name,
            )  # fmt: skip
            self.steps.append(step)
            freed.add(step.id)
            self.stale[container.id] = f"network {network.name} changed"
        remove = RemoveNetwork(
            id=f"remove network {network.name}", needs=frozenset(freed), cause="configuration changed",
            ref=net.id, name=network.name,
        )  # fmt: skip
        self.steps.append(remove)
        self._create_network(key, network, frozenset((remove.id,)), "configuration changed")

    def _stop(self, container: ObservedContainer, cause: str) -> frozenset[str]:
        if not container.is_running:
            return frozenset()
        if container.id not in self.stopped:
            step = StopContainer(
                id=f"stop {container.name}", cause=cause, ref=container.id, name=container.name,
                timeout=self._policy.timeout,
            )  # fmt: skip
            self.steps.append(step)
            self.stopped[container.id] = step.id
        return frozenset((self.stopped[container.id],))

    def _volume(self, key: str, volume: Volume) -> None:
        found = next((one for one in self._observed.volumes if one.name == volume.name), None)
        if volume.external:
            if found is None:
                raise ProjectError(f'external volume "{volume.name}" not found')
            return
        if found is None:
            self._create_volume(key, volume, frozenset(), "missing")
            return
        owner = found.labels.get(labels.PROJECT)
        if owner is None:
            self.warnings.append(
                f'volume "{volume.name}" already exists but was not created by Docker Compose. '
                "Use `external: true` to use an existing volume"
            )
        elif owner != self._project.name:
            self.warnings.append(
                f'volume "{volume.name}" already exists but was created for project "{owner}" '
                f'(expected "{self._project.name}"). Use `external: true` to use an existing volume'
            )
        now = found.labels.get(labels.CONFIG_HASH)
        if now is None or now == volume_hash(volume, self._encode):
            return
        if self._policy.replace_volumes:
            self._replace_volume(key, volume)

    def _create_volume(self, key: str, volume: Volume, needs: frozenset[str], cause: str) -> None:
        step_id = f"create volume {volume.name}"
        self.steps.append(
            CreateVolume(id=step_id, needs=needs, cause=cause, key=key, name=volume.name)
        )
        self.ready_volumes[key] = step_id

    def _replace_volume(self, key: str, volume: Volume) -> None:
        freed: set[str] = set()
        for container in self._observed.containers:
            if not any(mount.name == volume.name for mount in container.mounts):
                continue
            needs = self._stop(container, f"volume {volume.name} changed")
            step = RemoveContainer(
                id=f"remove {container.name}", needs=needs, cause=f"volume {volume.name} changed",
                ref=container.id, name=container.name,
            )  # fmt: skip
            self.steps.append(step)
            self.gone[container.id] = step.id
            freed.add(step.id)
        remove = RemoveVolume(
            id=f"remove volume {volume.name}", needs=frozenset(freed), cause="configuration changed",
            name=volume.name,
        )  # fmt: skip
        self.steps.append(remove)
        self._create_volume(key, volume, frozenset((remove.id,)), "configuration changed")


def diverged_volumes(
    project: Project, observed: Observed, encode: Encode = plain_json
) -> list[str]:
    """Names of volumes whose attributes are no longer the project's: making them anew loses data."""
    there = {volume.name: volume.labels for volume in observed.volumes}
    return [
        volume.name
        for volume in project.volumes.values()
        if not volume.external
        and there.get(volume.name, {}).get(labels.CONFIG_HASH)
        not in (None, volume_hash(volume, encode))
    ]
