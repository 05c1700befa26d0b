"""Frozen values that cost next to nothing to define.

A frozen dataclass takes 1.3 ms to make, for it compiles six methods: the forty that `up` needs were
a third of its time when nothing was to be done. Type checkers see a Record as a frozen dataclass.
"""

from __future__ import annotations

from types import FunctionType, MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform

    RecordT = TypeVar("RecordT", bound="Record")
else:

    def dataclass_transform(**_options: object) -> object:
        """Nothing: what it says is for type checkers, and its module is slow to import."""
        return lambda record: record


#: The default of fields that are mappings.
EMPTY: MappingProxyType[str, Any] = MappingProxyType({})


@dataclass_transform(frozen_default=True)
class Record:
    """Base of frozen values: annotated attributes are fields, their values in the class defaults."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _required: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, kw_only: bool = False) -> None:
        """Find the fields. `kw_only` is for type checkers alone."""
        own = [name for name in cls.__annotations__ if name not in cls._fields]
        cls._fields = (*cls._fields, *own)
        cls._required = frozenset(name for name in cls._fields if not hasattr(cls, name))
        for name in own:
            if isinstance(cls.__dict__.get(name), FunctionType):
                # A function as a default is a value, not a method.
                setattr(cls, name, staticmethod(cls.__dict__[name]))

    def __init__(self, *values: Any, **named: Any) -> None:
        if values:
            named |= zip(self._fields, values, strict=False)
        if not self._required <= named.keys() <= frozenset(self._fields):
            wrong = (self._required - named.keys()) | (named.keys() - frozenset(self._fields))
            raise TypeError(
                f"{type(self).__name__}: missing or unknown: {', '.join(sorted(wrong))}"
            )
        self.__dict__.update(named)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({', '.join(shown)})"


def changed(record: RecordT, **values: Any) -> RecordT:
    """A copy of a record with other values in some fields."""
    return type(record)(**{**record.__dict__, **values})
