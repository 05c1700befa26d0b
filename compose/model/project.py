"""A project as a value: its services and what they share."""

from __future__ import annotations

from collections.abc import Mapping

from compose.model.record import EMPTY, Record
from compose.model.service import FileGrant, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    GrantKind = Literal["config", "secret"]

GRANT_KINDS: tuple[GrantKind, ...] = ("config", "secret")


class IpamPool(Record):
    """One subnet of a network; "" for what is not said."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: Mapping[str, str] = EMPTY


class Network(Record):
    """A network of the project; `key` is its name in the file, `name` the engine's."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: Mapping[str, str] = EMPTY
    attachable: bool = False
    internal: bool = False
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam_driver: str = ""
    ipam_options: Mapping[str, str] = EMPTY
    ipam_pools: tuple[IpamPool, ...] = ()
    labels: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY


class Volume(Record):
    """A named volume of the project."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: Mapping[str, str] = EMPTY
    labels: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY


class FileSource(Record):
    """A config or secret of the project: exactly one of file, environment and content is said.

    `digest` is of a file's content, where it was read, so that a change of it is noticed.
    """

    key: str
    name: str
    external: bool = False
    file: str = ""
    environment: str = ""
    content: str | None = None
    digest: str = ""
    labels: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY

    def is_copied(self, service: Service, grant: FileGrant) -> bool:
        """Whether a service is given a copy: of what is no file, and of a file that is to have an
        owner or mode of its own, which the host's file has not. What is read-only takes no copy."""
        if self.external:
            return False
        owned = bool(grant.uid or grant.gid) or grant.mode is not None
        return not self.file or (owned and bool(self.digest) and not service.read_only)


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
        return any(sources[grant.source].is_copied(service, grant) for grant in grants)

    def name_of(self, service: str, *rest: str) -> str:
        """The usual name of what belongs to a service: "project-service", "project-service-1"."""
        return self.separator.join((self.name, service, *rest))
