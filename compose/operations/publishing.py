"""`publish`: the project's files as an OCI artifact, which `docker compose -f oci://...` reads.

All files, with what they extend and include, are merged into one that stands alone; variables are left
in it. What may be secret does not leave this machine unless the person says so.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.errors import ComposeError, UsageError
from compose.loader.load import load_model
from compose.loader.render import yaml_text
from compose.model.labels import COMPATIBLE_VERSION
from compose.model.record import Record, changed
from compose.operations.application import push_application
from compose.operations.images import PullRequest, push
from compose.operations.registry_push import MANIFEST, Blob, manifest_of, push_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.model.project import Project
    from compose.operations.session import Session

KIND = "application/vnd.docker.compose.project"
FILE = "application/vnd.docker.compose.file+yaml"
ENV_FILE = "application/vnd.docker.compose.envfile"
#: Of all parts, by whom they are made.
NOTED = {"com.docker.compose.version": COMPATIBLE_VERSION}


class PublishRequest(Record):
    """The flags of publish. `confirm` asks the person."""

    reference: str
    confirm: Callable[[str], bool]
    with_env: bool = False
    version: str = "1.1"
    resolve_image_digests: bool = False
    app: bool = False  # with the images


def publish(request: PublishRequest, session: Session) -> str:
    """Publish; returns the artifact's digest. Raises ComposeError."""
    project = session.project().project
    tree, _, _ = load_model(
        changed(session.load, interpolate=False, resolve_paths=False, resolve_environment=False)
    )
    services = tree.get("services") or {}
    check_images(services)
    check_environment(services, with_env=request.with_env)
    mounts = bind_mounts(services)
    if mounts and not request.confirm(
        f"These bind mounts are published, their content is not: {', '.join(mounts)}. Publish?"
    ):
        raise ComposeError("nothing was published: --yes does not ask")
    for kind in ("configs", "secrets"):
        for name, one in (tree.get(kind) or {}).items():
            if isinstance(one, dict) and one.get("file"):
                session.progress.warn(f"{kind}.{name}: its file is not published with it")
    blobs = layers({**tree, "name": project.name}, Path(project.working_dir))
    if request.resolve_image_digests:
        blobs.append(digests_file(project, session))
    manifest, config = manifest_of(KIND, blobs, version=request.version)
    every = {**project.disabled, **project.services}
    built = tuple(name for name, one in every.items() if one.build is not None)
    if built:
        push(PullRequest(built, ignore_failures=True), session)
    session.progress.report(request.reference, "Publishing")
    if session.dry_run:
        session.progress.report(request.reference, "Published", "done")
        return ""
    digest = push_artifact(request.reference, [*blobs, config], manifest, session.environment)
    if request.app:
        images = dict.fromkeys(one.image for one in every.values() if one.image)
        subject = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest)}
        push_application(request.reference, KIND, subject, images, NOTED, session.environment)
    session.progress.report(request.reference, "Published", "done")
    return digest


def layers(tree: Mapping[str, Any], folder: Path) -> list[Blob]:
    """The merged file, and the env files that it names, these by their content's hash."""
    env_files: dict[str, bytes] = {}
    services = {}
    for name, service in (tree.get("services") or {}).items():
        entries = service.get("env_file") or []
        services[name] = service
        if entries:
            renamed = [env_entry(entry, folder, env_files) for entry in entries]
            services[name] = {**service, "env_file": renamed}
    text = yaml_text({**tree, "services": services})
    main = Blob(FILE, text.encode(), {**NOTED, "com.docker.compose.file": "compose.yaml"})
    return [
        main,
        *(
            Blob(ENV_FILE, data, {**NOTED, "com.docker.compose.envfile": name})
            for name, data in env_files.items()
        ),
    ]


def digests_file(project: Project, session: Session) -> Blob:
    """A file that is merged over the first, as docker compose reads it: each image by its digest.

    Raises ProjectError with a line for each image that has none.
    """
    from compose.operations.pinning import ask_registries, pinned

    images = {name: {"image": one.image} for name, one in project.services.items() if one.image}
    text = yaml_text({"services": pinned(images, lambda names: ask_registries(session, names))})
    return Blob(FILE, text.encode(), {**NOTED, "com.docker.compose.file": "image-digests.yaml"})


def env_entry(entry: Any, folder: Path, found: dict[str, bytes]) -> Any:
    """An entry of env_file with its new name; its content is kept. Raises ComposeError."""
    path = entry["path"] if isinstance(entry, dict) else entry
    try:
        data = (folder / path).read_bytes()
    except OSError as error:
        if isinstance(entry, dict) and entry.get("required") is False:
            return entry
        raise ComposeError(f"env_file {path}: {error.strerror}") from error
    name = f"{hashlib.sha256(data).hexdigest()}.env"
    found[name] = data
    return {**entry, "path": name} if isinstance(entry, dict) else name


def check_images(services: Mapping[str, Any]) -> None:
    """Whoever reads the artifact has no build context. Raises UsageError."""
    for name, service in services.items():
        if service.get("build") and not service.get("image"):
            raise UsageError(
                f'cannot publish: service "{name}" is built and has no image: name one, and push it'
            )


def check_environment(services: Mapping[str, Any], *, with_env: bool) -> None:
    """Variables may be secrets. Raises UsageError unless the person allows them."""
    if with_env:
        return
    telling = [
        f'service "{name}" has {what} declared'
        for name, service in services.items()
        for key, what in (("env_file", "env_file"), ("environment", "environment variable(s)"))
        if service.get(key)
    ]
    if telling:
        raise UsageError(
            f"{'; '.join(telling)}: to publish them, use --with-env, or remove what is secret"
        )


def bind_mounts(services: Mapping[str, Any]) -> list[str]:
    """ "web: ./data -> /data"."""
    return [
        f"{name}: {mount.get('source')} -> {mount.get('target')}"
        for name, service in services.items()
        for mount in service.get("volumes") or []
        if isinstance(mount, dict) and mount.get("type") == "bind"
    ]
