"""All containers of an engine by id and name: in memory, each change written to the database at once.

On a full disk memory is ahead: what happens to containers is true, and is written when there is room.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.containers import docker_json
from engine.containers.model import Container
from engine.errors import ConflictError, HostLimitError, InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from engine.storage.database import Database


class Registry:
    """Frozen containers, replaced whole."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._all: dict[str, Container] = {}
        self._ids: dict[str, str] = {}
        self._unsaved: set[str] = set()  # changed or removed while the disk was full
        database.retries.append(self.save)
        for (document,) in database.rows("SELECT document FROM containers ORDER BY created_ns"):
            container = docker_json.decode(Container, json.loads(document))
            self._all[container.id] = container
            self._ids[container.name] = container.id

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
        self._all[container.id] = container
        self._ids[container.name] = container.id

    def change(self, container_id: str, **fields: Any) -> Container:
        """Replace fields; returns the container as it is now. Raises NotFoundError."""
        old = self.get(container_id)
        new = replace(old, **fields)
        self._all[container_id] = new
        self._unsaved.add(container_id)
        self.save()
        if new.name != old.name:
            del self._ids[old.name]
            self._ids[new.name] = container_id
        return new

    def set_state(self, container_id: str, **fields: Any) -> Container:
        """Replace fields of the state."""
        state = replace(self.get(container_id).state, **fields)
        return self.change(container_id, state=state)

    def remove(self, container_id: str) -> None:
        """Forget a container. Idempotent."""
        container = self._all.pop(container_id, None)
        if container:
            self._ids.pop(container.name, None)
        self._unsaved.add(container_id)
        self.save()

    def save(self) -> None:
        """Write what has changed. What finds no room is kept, and tried again: containers go on."""
        for container_id in tuple(self._unsaved):
            container = self._all.get(container_id)
            try:
                if container is None:
                    self._database.execute("DELETE FROM containers WHERE id = ?", (container_id,))
                else:
                    self._database.execute(
                        "UPDATE containers SET name = ?, document = ? WHERE id = ?",
                        (container.name, _encode(container), container_id),
                    )
            except HostLimitError:
                return
            self._unsaved.discard(container_id)


def _encode(container: Container) -> str:
    return json.dumps(docker_json.encode(container), separators=(",", ":"))
