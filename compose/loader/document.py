"""Phase 10: a canonical tree -> the document of the project, and the document as JSON or YAML has it.

The full document has every attribute in the order it is printed, `x-` extensions at the end of their
mapping. JSON leaves the extensions out, YAML the empty parts. Pure.
"""

from __future__ import annotations

from compose.loader.shapes import SHAPES, Kind, Shape
from compose.loader.tree import FaultError, kind
from compose.loader.unique import with_nulls
from compose.loader.values import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Path = tuple[str | int, ...]

#: Kinds whose zero is a text.
_TEXT_ZEROS = {"size": "0", "duration": "0s"}


def document(tree: dict[str, Any]) -> dict[str, Any]:
    """The full document of a project's tree. Raises FaultError."""
    return _struct(tree, SHAPES["project"], ())


def _struct(tree: Any, shape: Shape, path: Path) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise FaultError(path, f"must be a mapping, not {kind(tree)}")
    found: dict[str, Any] = {}
    for name, attribute in shape.items():
        given = tree.get(name)
        if given is None and name not in tree and name[0].isupper():
            given = tree.get(name.lower())
        if given is None and not attribute.always:
            continue
        value = _value(given, attribute, (*path, name))
        if _printed(value, attribute):
            found[name] = value
    for name in sorted(name for name in tree if name.startswith("x-")):
        found[name] = ordered(tree[name])
    return found


def ordered(value: Any) -> Any:
    """The value with the keys of all its mappings sorted."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(entry) for entry in value] if isinstance(value, list) else value


def _printed(value: Any, attribute: Kind) -> bool:
    if attribute.always or attribute.keep_zero:
        return True
    if attribute.form in _TEXT_ZEROS:
        return bool(value != _TEXT_ZEROS[attribute.form])
    return bool(value)


def _value(given: Any, attribute: Kind, path: Path) -> Any:
    form = attribute.form
    if form == "one":
        return _struct({} if given is None else given, SHAPES[attribute.shape], path)
    if form == "list":
        if not isinstance(given, list):
            raise FaultError(path, f"must be a list, not {kind(given)}")
        shape = SHAPES[attribute.shape]
        return [_struct(entry, shape, (*path, index)) for index, entry in enumerate(given)]
    if form == "map":
        return _map(given, attribute, path)
    if given is None and form != "command":
        given = {"text": "", "int": 0, "uint": 0, "flag": False, "size": 0}[form]
    try:
        return KINDS[form](given)
    except (ValueError, OverflowError) as error:
        raise FaultError(path, str(error)) from None


def _map(given: Any, attribute: Kind, path: Path) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise FaultError(path, f"must be a mapping, not {kind(given)}")
    shape = SHAPES[attribute.shape]
    found: dict[str, Any] = {}
    for name, entry in sorted(given.items()):
        if entry is None and attribute.nullable:
            found[name] = None
        else:
            found[name] = _struct({} if entry is None else entry, shape, (*path, name))
    return found


def as_json(full: dict[str, Any]) -> dict[str, Any]:
    """The document that `config --format json` prints: no extensions but the project's own."""
    parts = {
        key: value for key, value in full.items() if not key.startswith("x-") and key != "models"
    }
    plain = _plain(parts, SHAPES["project"])
    for section in ("secrets", "configs"):
        for name, resource in (plain.get(section) or {}).items():
            plain[section][name] = without_content(resource, section)
    extensions = {key: with_nulls(value) for key, value in full.items() if key.startswith("x-")}
    return dict(sorted({**plain, **extensions}.items()))


def without_content(resource: dict[str, Any], section: str) -> dict[str, Any]:
    """A secret's content is never printed, a config's only if it was written in the file."""
    if section == "configs" and not resource.get("environment"):
        return resource
    return {key: value for key, value in resource.items() if key != "content"}


def service_as_json(full: dict[str, Any]) -> dict[str, Any]:
    """The same of one service."""
    return _plain(full, SHAPES["service"])


def _plain(full: dict[str, Any], shape: Shape) -> dict[str, Any]:
    found = {}
    for name, value in full.items():
        attribute = shape.get(name)
        if attribute is None:
            continue
        found[name] = _plain_part(value, attribute)
    return found


def _plain_part(value: Any, attribute: Kind) -> Any:
    if attribute.form == "env_files":
        return [file["path"] if file["required"] else file for file in value]
    if value is None or not attribute.shape:
        return value
    shape = SHAPES[attribute.shape]
    if attribute.form == "list":
        return [_plain(entry, shape) for entry in value]
    if attribute.form == "map":
        return {
            name: None if entry is None else _plain(entry, shape) for name, entry in value.items()
        }
    return _plain(value, shape)


def as_yaml(full: dict[str, Any], shape: Shape | None = None) -> dict[str, Any]:
    """The document that `config` prints: with extensions, without what is empty."""
    project = shape is None
    shape = SHAPES["project"] if shape is None else shape
    found: dict[str, Any] = {}
    for name, value in full.items():
        attribute = shape.get(name)
        if attribute is None:
            found[name] = in_yaml_order(value)
            continue
        pruned = _pruned(value, attribute)
        if pruned is None or (attribute.always and attribute.form == "one" and not pruned):
            continue
        found[name.lower()] = pruned
    if project:
        if not found.get("name"):
            found.pop("name", None)
        for section in ("secrets", "configs"):
            for name, resource in (found.get(section) or {}).items():
                found[section][name] = without_content(resource, section)
    return found


def in_yaml_order(value: Any) -> Any:
    """The value with the keys of all its mappings in the order that YAML is written in."""
    from compose.loader.yaml_order import yaml_key

    if isinstance(value, dict):
        return {key: in_yaml_order(value[key]) for key in sorted(value, key=yaml_key)}
    return [in_yaml_order(entry) for entry in value] if isinstance(value, list) else value


def _pruned(value: Any, attribute: Kind) -> Any:
    if value is None:
        return None
    if attribute.shape:
        shape = SHAPES[attribute.shape]
        if attribute.form == "list":
            return [as_yaml(entry, shape) for entry in value]
        if attribute.form == "map":
            from compose.loader.yaml_order import yaml_key

            return {
                name: value[name] and as_yaml(value[name], shape)
                for name in sorted(value, key=yaml_key)
            }
        return as_yaml(value, shape)
    if isinstance(value, dict):
        value = in_yaml_order(value)
    if attribute.form == "limits":
        return {
            name: limit if isinstance(limit, int) else {"soft": 0, "hard": 0, **limit}
            for name, limit in value.items()
        }
    if attribute.form == "env_files":
        return [
            file["path"] if file["required"] else {"path": file["path"], "required": False}
            for file in value
        ]
    if attribute.form == "ssh":
        return [
            f"{name}: {place}"
            for entry in value
            if isinstance(entry, dict)
            for name, place in entry.items()
        ] + [entry for entry in value if isinstance(entry, str)]
    return value
