"""Whether a container is what its service asks for, and if not, why. Pure."""

from __future__ import annotations

from itertools import islice

from compose.errors import ProjectError
from compose.model import labels
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from compose.model.observed import ObservedContainer
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.planner.policy import Recreate


def container_name(project: Project, service: Service, number: int) -> str:
    """The name of a service's container of that number."""
    return service.container_name or project.name_of(service.name, str(number))


def wanted_count(service: Service) -> int:
    """How many containers there are to be. Raises ProjectError where one name cannot do for them."""
    if service.replicas > 1 and service.container_name:
        raise ProjectError(
            f'The "{service.name}" service is using the custom container name '
            f'"{service.container_name}". Docker requires each container to have a unique name. '
            "Remove the custom name to scale the service"
        )
    return service.replicas


def one_of_each_number(
    containers: Sequence[ObservedContainer],
) -> tuple[list[ObservedContainer], list[ObservedContainer]]:
    """The first of each number, and the others: a replacement that was cut off leaves two. Pure."""
    firsts: dict[int | str, ObservedContainer] = {}
    doubles = [one for one in containers if firsts.setdefault(one.number or one.id, one) is not one]
    return list(firsts.values()), doubles


def free_numbers(containers: Iterable[ObservedContainer], count: int) -> list[int]:
    """The numbers of that many new containers: gaps are filled first."""
    taken = {container.number for container in containers}
    candidates = (number for number in range(1, len(taken) + count + 1) if number not in taken)
    return list(islice(candidates, count))


def completing_services(project: Project) -> set[str]:
    """One-shot services: those that another waits the successful end of."""
    return {
        need
        for service in project.services.values()
        for need, how in service.depends_on.items()
        if how.condition == "service_completed_successfully"
    }


def is_collision(project: Project, container: ObservedContainer) -> bool:
    """Whether a container of this name was made from the files of another folder."""
    made_in = container.labels.get(labels.WORKING_DIR, "")
    return bool(made_in and project.working_dir) and made_in != project.working_dir


class Shape(Record):
    """What a service's containers are to be like. `image_id` "" where the image is not local."""

    config_hash: str
    contents_hash: str
    image_id: str
    network_ids: Mapping[str, str]
    volume_names: Mapping[str, str]


def why_recreate(
    service: Service,
    container: ObservedContainer,
    policy: Recreate,
    shape: Shape,
    reasons: Mapping[str, str],
) -> str:
    """The cause for replacing this container; "" to keep it.

    `reasons`: what inspecting has shown to differ, by container id, for a better word than "config".
    """
    if policy == "never":
        return ""
    if policy == "force":
        return "--force-recreate"
    own = container.labels
    if own.get(labels.CONFIG_HASH, "") != shape.config_hash:
        return reasons.get(container.id) or "configuration changed"
    # A container without the label is docker compose's: nothing is known of its contents.
    wanted = shape.contents_hash
    if wanted and own.get(labels.CONTENTS_HASH, wanted) != wanted:
        return "content of a config or secret changed"
    if shape.image_id and own.get(labels.IMAGE, "") != shape.image_id:
        return "image changed"
    return why_unattached(service, container, shape.network_ids) or why_unmounted(
        service, container, shape.volume_names
    )


def why_unattached(
    service: Service, container: ObservedContainer, network_ids: Mapping[str, str]
) -> str:
    """A network that a container should be on and is not; "" is the id of one still to be made."""
    attached = set(container.networks.values())
    for key in service.networks:
        network_id = network_ids.get(key, "")
        # A stopped container's networks are not always listed, but none is on one not yet made.
        if network_id not in attached and (not network_id or container.state == "running"):
            return f"not connected to network {key}"
    return ""


def why_unmounted(
    service: Service, container: ObservedContainer, volume_names: Mapping[str, str]
) -> str:
    """A named volume that the container should have and has not."""
    mounted = {mount.name for mount in container.mounts if mount.type == "volume"}
    for mount in service.volumes:
        if mount.type == "volume" and mount.source in volume_names:
            name = volume_names[mount.source]
            if name not in mounted:
                return f"volume {name} not mounted"
    return ""


def is_orphan(project: Project, container: ObservedContainer) -> bool:
    """Whether the container's service is gone from the project; an ended one-off run counts too."""
    if container.oneoff:
        return container.state in ("exited", "dead")
    return container.service not in project.services and container.service not in project.disabled


def orphan_warning(names: Iterable[str]) -> str:
    """docker compose's words."""
    return (
        f"Found orphan containers ([{' '.join(names)}]) for this project. If you removed or renamed "
        "this service in your compose file, you can run this command with the --remove-orphans flag "
        "to clean it up."
    )
