"""All containers of an engine by id and name: in memory, each change written to the database at once.

On a full disk memory is ahead: what happens to containers is true, and is written when there is room.
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.containers import docker_json
from engine.containers.model import Container
from engine.containers.sharing import shares
from engine.errors import ConflictError, HostLimitError, InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.storage.database import Database


#: The fields that change while a container lives: they are written apart from the others, which are many.
LIVELY = frozenset({"state", "restart_count"})


class Registry:
    """Frozen containers, replaced whole."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all: dict[str, Container] = {}
        self._ids: dict[str, str] = {}
        self._sharers: dict[str, None] = {}  # in order
        #: by id, the fields that are not written yet: the disk was full. Of a removed one none.
        self._unsaved: dict[str, set[str]] = {}
        database.retries.append(self.save)
        for document, state in database.rows(
            "SELECT document, state FROM containers ORDER BY created_ns"
        ):
            container = docker_json.decode(
                Container, {**json.loads(document), **json.loads(state or "{}")}
            )
            self._keep(container)

    def _keep(self, container: Container) -> None:
        self._all[container.id] = container
        self._ids[container.name] = container.id
        if shares(container):
            self._sharers[container.id] = None

    def known(self) -> Mapping[str, Container]:
        """Every container by its id."""
        return MappingProxyType(self._all)

    def sharers(self) -> list[Container]:
        """Those that use another's network namespace: a few of many."""
        return [self._all[container_id] for container_id in self._sharers]

    def all(self) -> list[Container]:
        """Every container, the oldest first."""
        return list(self._all.values())

    def get(self, container_id: str) -> Container:
        """By its full id. Raises NotFoundError."""
        try:
            return self._all[container_id]
        except KeyError as error:
            raise NotFoundError(f"No such container: {container_id}") from error

    def find(self, name: str) -> Container:
        """By name, id or a unique beginning of one. Raises NotFoundError, InvalidRequestError."""
        name = name.removeprefix("/")
        if name in self._all:
            return self._all[name]
        if name in self._ids:
            return self._all[self._ids[name]]
        fitting = [key for key in self._all if name and key.startswith(name)]
        if len(fitting) > 1:
            raise InvalidRequestError(
                f"multiple IDs found with provided prefix: {name}", hint="give more of the id"
            )
        if not fitting:
            raise NotFoundError(f"No such container: {name}")
        return self._all[fitting[0]]

    def holder_of(self, name: str) -> str | None:
        """The id of the container that has a name."""
        return self._ids.get(name)

    def add(self, container: Container) -> None:
        """Keep a new container. Raises ConflictError for a name in use."""
        holder = self._ids.get(container.name)
        if holder is not None:
            raise ConflictError(
                f'Conflict. The container name "/{container.name}" is already in use by container '
                f'"{holder}". You have to remove (or rename) that container to be able to reuse that name.'
            )
        self._database.execute(
            "INSERT INTO containers (id, name, created_ns, document) VALUES (?, ?, ?, ?)",
            (container.id, container.name, container.created_ns, _encode(container)),
        )
        self._keep(container)

    def change(self, container_id: str, **fields: Any) -> Container:
        """Replace fields; returns the container as it is now. Raises NotFoundError."""
        old = self.get(container_id)
        new = replace(old, **fields)
        self._all[container_id] = new
        self._unsaved.setdefault(container_id, set()).update(fields)
        self.save()
        if new.name != old.name:
            del self._ids[old.name]
            self._ids[new.name] = container_id
        return new

    def set_state(self, container_id: str, **fields: Any) -> Container:
        """Replace fields of the state."""
        return self.change(container_id, state=replace(self.get(container_id).state, **fields))

    def remove(self, container_id: str) -> None:
        """Forget a container. Idempotent."""
        container = self._all.pop(container_id, None)
        if container:
            self._ids.pop(container.name, None)
            self._sharers.pop(container_id, None)
        self._unsaved.setdefault(container_id, set())
        self.save()

    def save(self) -> None:
        """Write what has changed. What finds no room is kept, and tried again: containers go on."""
        for container_id, fields in tuple(self._unsaved.items()):
            container = self._all.get(container_id)
            try:
                if container is None:
                    self._database.execute("DELETE FROM containers WHERE id = ?", (container_id,))
                elif fields <= LIVELY:
                    self._database.execute(
                        "UPDATE containers SET state = ? WHERE id = ?",
                        (_encode_state(container), container_id),
                    )
                else:
                    self._database.execute(
                        "UPDATE containers SET name = ?, document = ?, state = NULL WHERE id = ?",
                        (container.name, _encode(container), container_id),
                    )
            except HostLimitError:
                return
            del self._unsaved[container_id]


def _encode_state(container: Container) -> str:
    fields = {name: docker_json.encode(getattr(container, name)) for name in LIVELY}
    return json.dumps({docker_json.camel(name): value for name, value in fields.items()})


def _encode(container: Container) -> str:
    return json.dumps(docker_json.encode(container), separators=(",", ":"))
