"""How a gRPC call ends that does not end well."""

from __future__ import annotations

from engine.errors import EngineError

OK, UNKNOWN, UNIMPLEMENTED, NOT_FOUND, UNAVAILABLE = 0, 2, 12, 5, 14


class GrpcError(EngineError):
    """A call has ended with another status than OK."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
