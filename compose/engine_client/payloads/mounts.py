"""volumes, configs, secrets and tmpfs of a service -> HostConfig's Binds and Mounts. Pure.

Binds (strings) are used where they say it all, because only they make a missing host folder; Mounts
(objects) where more is said. Of what is replaced, anonymous volumes are inherited: they hold data.
"""

from __future__ import annotations

import re

from compose.errors import ProjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from compose.model.files import FileGrant, FileSource, GrantKind
    from compose.model.mount import Mount
    from compose.model.observed import ObservedMount
    from compose.model.project import Project
    from compose.model.service import Service

#: What an engine calls a volume that nobody named.
#: The name of a volume that nobody named.
ANONYMOUS = "[0-9a-f]{64}"


def volume_keys(
    project: Project,
    service: Service,
    inherited: Iterable[ObservedMount] = (),
    image_volumes: Iterable[str] = (),
) -> dict[str, Any]:
    """Binds, Mounts and Tmpfs. Raises ProjectError for what no engine outside a swarm can give."""
    binds: list[str] = []
    mounts: dict[str, dict[str, Any]] = {}
    named = {mount.target for mount in service.volumes if mount.source or mount.type != "volume"}
    kept = {mount.target for mount in service.volumes} | set(image_volumes)
    for old in inherited:
        anonymous = old.type == "volume" and re.fullmatch(ANONYMOUS, old.name)
        if anonymous and old.target in kept and old.target not in named:
            mounts[old.target] = {
                "Type": "volume", "Source": old.name, "Target": old.target, "ReadOnly": old.read_only,
            }  # fmt: skip
    taken = {mount.target for mount in service.volumes}
    for mount in service.volumes:
        if mount.target in mounts:
            continue
        source = source_of(project, mount)
        if needs_object(mount):
            mounts[mount.target] = mount_object(mount, source)
        else:
            binds.append(bind_string(mount, source))
    for _, source_file, target in file_grants(project, service):
        if target not in taken:
            mounts[target] = {
                "Type": "bind", "Source": source_file, "Target": target, "ReadOnly": True,
            }  # fmt: skip
    tmpfs = dict(split_tmpfs(entry) for entry in service.tmpfs)
    keys = {"Binds": binds, "Mounts": list(mounts.values()), "Tmpfs": tmpfs}
    return {key: value for key, value in keys.items() if value}


def split_tmpfs(entry: str) -> tuple[str, str]:
    """ "/run:size=1m" -> ("/run", "size=1m")."""
    path, _, options = entry.partition(":")
    return path, options


def source_of(project: Project, mount: Mount) -> str:
    """What the engine is asked for: a named volume's own name, else the source as it is."""
    if mount.type == "volume" and mount.source in project.volumes:
        return project.volumes[mount.source].name
    return mount.source


def needs_object(mount: Mount) -> bool:
    """Whether a bind string cannot say all of this mount."""
    if mount.type == "bind":
        return not mount.bind_create_host_path or bool(
            mount.bind_propagation or mount.bind_recursive
        )
    if mount.type == "volume":
        return not mount.source or bool(
            mount.volume_labels or mount.volume_subpath or mount.volume_nocopy
        )
    return True


def bind_string(mount: Mount, source: str) -> str:
    """ "source:target:options"."""
    options = ["ro" if mount.read_only else "rw"]
    if mount.bind_selinux:
        options.append(mount.bind_selinux)
    if mount.bind_map_owner:
        options.append("map-owner")
    return f"{source}:{mount.target}:{','.join(options)}"


def mount_object(mount: Mount, source: str) -> dict[str, Any]:
    """One entry of HostConfig.Mounts."""
    body: dict[str, Any] = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    if source:
        body["Source"] = source
    if mount.consistency:
        body["Consistency"] = mount.consistency
    options: dict[str, Any] = {}
    match mount.type:
        case "bind":
            options = {
                "Propagation": mount.bind_propagation,
                "CreateMountpoint": mount.bind_create_host_path,
                "NonRecursive": mount.bind_recursive == "disabled",
                "ReadOnlyNonRecursive": mount.bind_recursive == "writable",
                "ReadOnlyForceRecursive": mount.bind_recursive == "readonly",
                "MapOwner": mount.bind_map_owner,
            }
        case "volume":
            options = {
                "NoCopy": mount.volume_nocopy,
                "Subpath": mount.volume_subpath,
                "Labels": dict(mount.volume_labels),
            }
        case "tmpfs":
            options = {"SizeBytes": mount.tmpfs_size, "Mode": mount.tmpfs_mode}
        case "image":
            options = {"Subpath": mount.image_subpath}
        case _:
            pass
    options = {key: value for key, value in options.items() if value}
    if options:
        body[f"{mount.type.capitalize()}Options"] = options
    return body


def file_grants(project: Project, service: Service) -> list[tuple[FileGrant, str, str]]:
    """Configs and secrets that are files of the host: (grant, the host's file, path inside)."""
    found: list[tuple[FileGrant, str, str]] = []
    for kind, grants, sources in (
        ("config", service.configs, project.configs),
        ("secret", service.secrets, project.secrets),
    ):
        for grant in grants:
            source = sources[grant.source]
            if source.external:
                raise ProjectError(f"unsupported external {kind} {source.name}")
            if source.file and not source.is_copied(grant, read_only=service.read_only):
                found.append((grant, source.file, grant_target(kind, grant)))
    return found


def copied_grants(
    project: Project, service: Service, kind: GrantKind
) -> list[tuple[FileGrant, FileSource, str, bytes]]:
    """Configs or secrets with their content in the project: (grant, source, path inside, content).

    They are given to the container before it starts; the content of one that is a file of the
    host is for the caller to read. Raises ProjectError for a variable that is not set.
    """
    found: list[tuple[FileGrant, FileSource, str, bytes]] = []
    grants, sources = project.granted(service, kind)
    for grant in grants:
        source = sources[grant.source]
        if not source.is_copied(grant, read_only=service.read_only):
            continue
        if source.file:
            found.append((grant, source, grant_target(kind, grant), b""))
            continue
        text = source.content
        if source.environment:
            if source.environment not in project.environment:
                raise ProjectError(
                    f'environment variable "{source.environment}" required by {kind} '
                    f'"{source.key}" is not set'
                )
            text = project.environment[source.environment]
        found.append((grant, source, grant_target(kind, grant), (text or "").encode()))
    return found


def grant_target(kind: str, grant: FileGrant) -> str:
    """Where a config or secret is inside: / and /run/secrets/ are their folders."""
    folder = "/run/secrets/" if kind == "secret" else "/"
    target = grant.target or grant.source
    return target if target.startswith("/") else folder + target
