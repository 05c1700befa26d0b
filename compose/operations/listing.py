"""`ls`, `images`, `port`, `top` and `volumes`: what the engine has, as rows of plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.engine_client import calls
from compose.engine_client.payloads.status import canonical_name
from compose.errors import ComposeError, ProjectError
from compose.model import labels

if TYPE_CHECKING:
    from compose.operations.session import Session

Row = dict[str, Any]


def projects(session: Session, *, everything: bool) -> list[Row]:
    """`ls`: a row a project, by name; the stopped ones too if `everything`."""
    with session.client() as client:
        items = client.do(
            calls.list_containers("", everything=everything, more=(labels.CONFIG_HASH,))
        ).json()
    found: dict[str, list[Row]] = {}
    for item in items or []:
        found.setdefault(item["Labels"][labels.PROJECT], []).append(item)
    return [
        {"Name": name, "Status": combined_status(found[name]), "ConfigFiles": files_of(found[name])}
        for name in sorted(found)
    ]


def combined_status(items: list[Row]) -> str:
    """ "exited(1), running(2)"."""
    states = [item.get("State", "") for item in items]
    return ", ".join(f"{state}({states.count(state)})" for state in sorted(set(states)))


def files_of(items: list[Row]) -> str:
    """The project's files, as its containers remember them."""
    texts = [item["Labels"].get(labels.CONFIG_FILES) for item in items]
    if None in texts:
        return "N/A"
    return ",".join(dict.fromkeys(file for text in texts for file in str(text).split(",")))


def images(session: Session, services: tuple[str, ...]) -> list[Row]:
    """`images`: a row a container, by name; those of `run` too."""
    name = session.project_name()
    with session.client() as client:
        items = client.do(calls.list_containers(name, oneoff=None)).json() or []
        items = [
            one for one in items if not services or one["Labels"].get(labels.SERVICE) in services
        ]
        ids = list(dict.fromkeys(item["ImageID"] for item in items))
        answers = client.do_all([calls.inspect_image(image) for image in ids])
    inspected = {
        image: answer.json()
        for image, answer in zip(ids, answers, strict=True)
        if answer.status == 200
    }
    rows = [
        image_row(canonical_name(item["Names"]), item["Image"], inspected[item["ImageID"]])
        for item in items
        if item["ImageID"] in inspected
    ]
    return sorted(rows, key=lambda row: str(row["ContainerName"]))


def image_row(container: str, reference: str, image: Row) -> Row:
    """One container's image."""
    from compose.engine_client.payloads.references import split_reference

    tags = image.get("RepoTags") or []
    chosen = reference if reference in tags else tags[0] if tags else ""
    repository, tag = split_reference(chosen) if chosen else ("", "")
    platform = "/".join(
        filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant")))
    )
    tagged = (image.get("Metadata") or {}).get("LastTagTime") or ""
    return {
        "ID": image["Id"], "ContainerName": container, "Repository": repository, "Tag": tag,
        "Platform": platform, "Size": image.get("Size", 0),
        "LastTagTime": image.get("Created", "") if tagged.startswith("0001") or not tagged else tagged,
    }  # fmt: skip


def port(session: Session, service: str, private: int, protocol: str, index: int) -> str:
    """`port`: "address:port" that a container's port is published at. Raises ComposeError."""
    from compose.operations.exec import running_container

    name = session.project_name()
    with session.client() as client:
        ref = running_container(client, name, service, index)
        found = client.do(calls.inspect_container(ref)).json()
    ports = (found.get("NetworkSettings") or {}).get("Ports") or {}
    for binding in ports.get(f"{private}/{protocol}") or []:
        return f"{binding['HostIp']}:{binding['HostPort']}"
    known = ", ".join(sorted(ports)) or "none is published"
    shown = found["Name"].lstrip("/")
    raise ComposeError(f"no port {private}/{protocol} for container {shown}: {known}")


def top(session: Session, services: tuple[str, ...]) -> tuple[list[str], list[list[str]]]:
    """`top`: headings and rows, the command last."""
    name = session.project_name()
    with session.client() as client:
        items = client.do(calls.list_containers(name, everything=False)).json() or []
        items = [
            one for one in items if not services or one["Labels"].get(labels.SERVICE) in services
        ]
        items.sort(key=lambda item: canonical_name(item["Names"]))
        answers = client.do_all([calls.top_container(item["Id"]) for item in items])
    headings = ["SERVICE", "#"]
    entries: list[dict[str, str]] = []
    for item, answer in zip(items, answers, strict=True):
        document = answer.json()
        own = item["Labels"]
        headings += [title for title in document["Titles"] if title not in headings]
        fixed = {"SERVICE": own.get(labels.SERVICE, ""), "#": own.get(labels.NUMBER, "")}
        entries += [
            {**fixed, **dict(zip(document["Titles"], process, strict=False))}
            for process in document["Processes"] or []
        ]
    headings.sort(key=lambda title: title in ("CMD", "COMMAND"))
    return headings, [[entry.get(title, "-") for title in headings] for entry in entries]


def volumes(session: Session, services: tuple[str, ...]) -> list[Row]:
    """`volumes`: a row a volume of the project, or of those services' containers."""
    project, name = session.project_or_name(services)
    if project is not None:
        for service in services:
            if service not in project.services:
                raise ProjectError(f"no such service: {service}")
    with session.client() as client:
        found = client.do(calls.list_volumes(label=calls.project_filter(name))).json()
        rows = found.get("Volumes") or []
        if services:
            items = client.do(calls.list_containers(name)).json() or []
            used = {
                mount.get("Name")
                for item in items
                if item["Labels"].get(labels.SERVICE) in services
                for mount in item.get("Mounts") or []
            }
            rows = [row for row in rows if row["Name"] in used]
    return sorted(rows, key=lambda row: str(row["Name"]))
