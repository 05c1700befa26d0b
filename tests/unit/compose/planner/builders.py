"""Short ways to say a project and a snapshot in a test."""

from __future__ import annotations

from typing import Any

from compose.model.dependency import Dependency
from compose.model.network import Network, ServiceNetwork
from compose.model.observed import Observed, ObservedContainer
from compose.model.project import Project
from compose.model.service import Service
from compose.model.volume import Volume
from compose.planner.policy import UpPolicy
from compose.planner.steps import Plan
from compose.planner.up import plan_up
from tests.unit.compose.planner.simulate import SimulatedEngine


def service(name: str, **attributes: Any) -> Service:
    """A service on the default network; its document is what it is made of."""
    attributes.setdefault("image", "busybox")
    if "network_mode" not in attributes:
        attributes.setdefault("networks", {"default": ServiceNetwork()})
    needs = attributes.get("depends_on", {})
    if isinstance(needs, list):
        attributes["depends_on"] = {one: Dependency() for one in needs}
    document = {
        key: repr(value)
        for key, value in attributes.items()
        if key not in ("networks", "volumes", "deploy")
    }
    for key in ("network_mode", "ipc", "pid"):
        if key in attributes:
            document[key] = attributes[key]
    return Service(name=name, document=attributes.pop("document", document), **attributes)


def project(*services: Service, **attributes: Any) -> Project:
    """A project named x with the networks and volumes that its services use."""
    networks = {key for one in services for key in one.networks}
    volumes = {mount.source for one in services for mount in one.volumes if mount.source}
    attributes.setdefault("networks", {key: Network(key, f"x_{key}") for key in sorted(networks)})
    attributes.setdefault("volumes", {key: Volume(key, f"x_{key}") for key in sorted(volumes)})
    return Project(
        name="x",
        working_dir="/x",
        files=("/x/compose.yaml",),
        services={one.name: one for one in services},
        **attributes,
    )


def planned(
    wanted: Project,
    observed: Observed | None = None,
    images: dict[str, str] | None = None,
    **policy: Any,
) -> Plan:
    """The plan of up."""
    return plan_up(wanted, observed or Observed(), UpPolicy(**policy), image_ids=images or {})


def after(
    wanted: Project,
    observed: Observed | None = None,
    images: dict[str, str] | None = None,
    **policy: Any,
) -> Observed:
    """What is there once up has done its work."""
    observed = observed or Observed()
    plan = planned(wanted, observed, images, **policy)
    return SimulatedEngine(wanted, observed, images or {}).run(plan)


def named(observed: Observed, name: str) -> ObservedContainer:
    """The container of that name."""
    return next(one for one in observed.containers if one.name == name)
