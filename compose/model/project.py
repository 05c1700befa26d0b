"""A project as a value: its services and what they share."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.files import FileGrant, FileSource, GrantKind
    from compose.model.network import Network
    from compose.model.service import Service
    from compose.model.volume import Volume


class Project(Record):
    """What a Compose file means; `disabled` are the services that no active profile asks for."""

    name: str
    working_dir: str
    files: tuple[str, ...]
    services: Mapping[str, Service]
    networks: Mapping[str, Network] = EMPTY
    volumes: Mapping[str, Volume] = EMPTY
    configs: Mapping[str, FileSource] = EMPTY
    secrets: Mapping[str, FileSource] = EMPTY
    disabled: Mapping[str, Service] = EMPTY
    models: Mapping[str, Mapping[str, Any]] = EMPTY
    environment: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY
    separator: str = "-"  # in the names of containers and images; "_" with --compatibility

    def granted(
        self, service: Service, kind: GrantKind
    ) -> tuple[tuple[FileGrant, ...], Mapping[str, FileSource]]:
        """What a service is given of a kind, and the sources of that kind."""
        if kind == "secret":
            return service.secrets, self.secrets
        return service.configs, self.configs

    def has_copied(self, service: Service, kind: GrantKind) -> bool:
        """Whether a service is given copies of a kind."""
        grants, sources = self.granted(service, kind)
        return any(
            sources[grant.source].is_copied(grant, read_only=service.read_only) for grant in grants
        )

    def name_of(self, service: str, *rest: str) -> str:
        """The usual name of what belongs to a service: "project-service", "project-service-1"."""
        return self.separator.join((self.name, service, *rest))
