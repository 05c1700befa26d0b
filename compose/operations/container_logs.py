"""`container logs`: one container's output as it was written, each stream to ours of the same kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.model.record import Record

if TYPE_CHECKING:
    from compose.operations.session import Session


class ContainerLogsRequest(Record):
    """The flags of container logs."""

    ref: str
    follow: bool = False
    tail: str = "all"
    since: str = ""
    until: str = ""
    timestamps: bool = False
    details: bool = False


def logs(request: ContainerLogsRequest, session: Session) -> int:
    """Copy the log, byte for byte. Raises ComposeError."""
    from compose.operations.logs import tail_of
    from compose.operations.terminal import write_all
    from networking.wire.stdstream import FrameDecoder

    with session.client() as client:
        found = client.do(calls.inspect_container(request.ref)).json()
        decoder = None if found["Config"]["Tty"] else FrameDecoder()
        call = calls.read_logs(
            str(found["Id"]), follow=request.follow, since=request.since, until=request.until,
            tail=tail_of(request.tail), timestamps=request.timestamps, details=request.details,
        )  # fmt: skip
        for piece in client.stream(call):
            if decoder is None:
                write_all(1, piece)
                continue
            for stream, data in decoder.feed(piece):
                write_all(2 if stream == 2 else 1, data)
    return 0
