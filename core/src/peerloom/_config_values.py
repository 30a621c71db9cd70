"""Turns what files, variables and flags hold into typed settings, with errors that name the place.

A layer of configuration is a `Tree` of tables, whose leaves are `Given`; both know where they
come from.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen
from multiaddr import Multiaddr

from ._errors import ConfigError, PluginError
from ._peer_id import PeerId

_SECTION_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
# Modules keep imports that only annotations need out of run time, so these names may be missing.
_USUAL_NAMES: Final[Mapping[str, object]] = {
    "Mapping": Mapping,
    "Multiaddr": Multiaddr,
    "Path": Path,
    "PeerId": PeerId,
    "Sequence": Sequence,
}


@frozen
class Source:
    """Where settings come from.

    Attributes:
        name: a file, a variable or what else the user must look at.
        folder: where relative paths begin, or None for the working directory.
        is_text: whether all values are text that must be read by the wanted type.
    """

    name: str
    folder: Path | None = None
    is_text: bool = False


@frozen
class Given:
    """A value as it was given, and where."""

    value: object
    source: Source


class Tree(dict[str, "Tree | Given"]):
    """A table; `source` is where it is named first."""

    def __init__(self, source: Source, nodes: Mapping[str, Tree | Given] | None = None) -> None:
        super().__init__(nodes or {})
        self.source = source


def plant(values: Mapping[str, object], source: Source) -> Tree:
    """The tree of nested mappings that all come from one source."""
    return Tree(source, {str(key): _node(value, source) for key, value in values.items()})


def _node(value: object, source: Source) -> Tree | Given:
    if isinstance(value, Mapping) and not isinstance(value, Multiaddr):
        return plant(value, source)
    return Given(value, source)


def field_types(config_class: type[Any], **names: object) -> dict[str, Any]:
    """The type of each field; `names` stand in for names that do not exist at run time."""
    hints = get_type_hints(config_class, localns={**_USUAL_NAMES, **names})
    return {attribute.name: hints[attribute.name] for attribute in attrs.fields(config_class)}


def convert(kind: Any, node: Tree | Given, where: str) -> Any:
    """Make a value of a type; raises `ConfigError` naming source, setting and what is expected."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _optional(arguments, node, where)
    if attrs.has(kind):
        return _instance_or_same(kind, node, where)
    if origin in {dict, Mapping}:
        return _mapping(arguments[1], node, where)
    if origin in {tuple, list, Sequence}:
        return _sequence(origin, arguments[0], node, where)
    return _scalar(kind, node, where)


def build(
    config_class: type[Any], tree: Tree, where: str, types: Mapping[str, Any] | None = None
) -> Any:
    """An instance of a config class from a table; settings that are not there keep defaults."""
    types = field_types(config_class) if types is None else types
    for key, node in tree.items():
        if key not in types:
            raise unknown(dotted(where, key), key, node.source, types)
    values = {key: convert(types[key], node, dotted(where, key)) for key, node in tree.items()}
    try:
        return config_class(**values)
    except (ConfigError, ValueError, TypeError) as error:
        raise _refused(config_class, values, tree, where, error) from error


def unknown(where: str, key: str, source: Source, known: Iterable[str]) -> ConfigError:
    """The error for a setting that does not exist."""
    return ConfigError(f"{source.name}: {where}: no such setting; {nearest(key, known)}")


def nearest(key: str, known: Iterable[str]) -> str:
    """For whoever mistyped a name: the nearest one that exists, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"


def dotted(where: str, key: str) -> str:
    """The full name of a setting within a table."""
    return f"{where}.{key}" if where else key


def check_config_class(name: str, config_class: type[Any]) -> None:
    """Raise `PluginError` unless a section of that name can be read into that class."""
    if not _SECTION_NAME.match(name):
        raise PluginError(f"config section {name!r}: write lower case letters, digits and _")
    try:
        _check_class(config_class, set())
        config_class()
    except (NameError, TypeError, ValueError, ConfigError) as error:
        label = getattr(config_class, "__qualname__", config_class)
        raise PluginError(f"config section {name!r}: {label}: {error}") from error


def _check_class(config_class: type[Any], seen: set[type[Any]]) -> None:
    if not (isinstance(config_class, type) and attrs.has(config_class)):
        raise TypeError("not an attrs class")
    if config_class in seen:
        raise TypeError("contains itself")
    for attribute in attrs.fields(config_class):
        if attribute.default is attrs.NOTHING:
            raise TypeError(f"{attribute.name} has no default")
    for field_name, kind in field_types(config_class).items():
        _check_kind(field_name, kind, seen | {config_class})


def _check_kind(field_name: str, kind: Any, seen: set[type[Any]]) -> None:
    origin, arguments = get_origin(kind), get_args(kind)
    if attrs.has(kind):
        _check_class(kind, seen)
    elif origin in {Union, UnionType} and NoneType in arguments and len(arguments) == 2:
        _check_kind(field_name, next(item for item in arguments if item is not NoneType), seen)
    elif (origin in {list, Sequence} or (origin is tuple and arguments[1:] == (Ellipsis,))) or (
        origin in {dict, Mapping} and arguments[0] is str
    ):
        _check_kind(field_name, arguments[1 if origin in {dict, Mapping} else 0], seen)
    elif not (kind in _READERS or origin is Literal or _is_enum(kind)):
        raise TypeError(f"{field_name}: a file cannot hold a {kind}")


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _optional(kinds: tuple[Any, ...], node: Tree | Given, where: str) -> Any:
    if isinstance(node, Given) and (node.value is None or node.value == ""):
        return None
    return convert(next(kind for kind in kinds if kind is not NoneType), node, where)


def _instance_or_same(kind: type[Any], node: Tree | Given, where: str) -> Any:
    if not isinstance(node, Given):
        return build(kind, node, where)
    if isinstance(node.value, kind):
        return node.value
    raise _wrong("a table", node, where)


def _mapping(kind: Any, node: Tree | Given, where: str) -> dict[str, Any]:
    if isinstance(node, Given):
        raise _wrong("a table", node, where)
    return {key: convert(kind, child, dotted(where, key)) for key, child in node.items()}


def _sequence(origin: type[Any], kind: Any, node: Tree | Given, where: str) -> Any:
    if not isinstance(node, Given):
        raise ConfigError(f"{node.source.name}: {where}: expected a list, found a table")
    items = node.value
    if isinstance(items, str) and node.source.is_text:
        items = [item.strip() for item in items.split(",") if item.strip()]
    if isinstance(items, (str, bytes, Multiaddr)) or not isinstance(items, Iterable):
        raise _wrong("a list", node, where)
    values = (
        convert(kind, _node(item, node.source), f"{where}[{index}]")
        for index, item in enumerate(items)
    )
    return list(values) if origin is list else tuple(values)


def _scalar(kind: Any, node: Tree | Given, where: str) -> Any:
    if get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in get_args(kind)}
    elif _is_enum(kind):
        choices = {str(choice.value): choice for choice in kind}
    else:
        return _read(kind, node, where)
    if isinstance(node, Given):
        for text, choice in choices.items():
            if node.value in (text, choice):
                return choice
    raise _wrong(f"one of {', '.join(choices)}", node, where)


def _read(kind: Any, node: Tree | Given, where: str) -> Any:
    expected, reader = _READERS[kind]
    if not isinstance(node, Given):
        raise _wrong(expected, node, where)
    try:
        return reader(node.value, node.source)
    except (ValueError, TypeError) as error:
        raise _wrong(expected, node, where, str(error)) from None


def _wrong(expected: str, node: Tree | Given, where: str, detail: str = "") -> ConfigError:
    found = repr(node.value) if isinstance(node, Given) else "a table"
    detail = f" ({detail})" if detail else ""
    name = node.source.name
    return ConfigError(f"{name}: {where}: expected {expected}, found {found}{detail}")


def _refused(
    config_class: type[Any], values: Mapping[str, Any], tree: Tree, where: str, error: Exception
) -> ConfigError:
    # Classes check themselves; the setting at fault is the one that they refuse when it is alone.
    for name, value in values.items():
        try:
            config_class(**{name: value})
        except (ConfigError, ValueError, TypeError) as alone:
            text = str(alone).removeprefix(f"{name}: ")
            return ConfigError(f"{tree[name].source.name}: {dotted(where, name)}: {text}")
    return ConfigError(f"{tree.source.name}: {where or 'settings'}: {error}")


def _read_bool(value: object, source: Source) -> bool:
    if source.is_text and isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if not isinstance(value, bool):
        raise TypeError
    return value


def _read_int(value: object, source: Source) -> int:
    if source.is_text and isinstance(value, str):
        value = _number(int, value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _read_float(value: object, source: Source) -> float:
    if source.is_text and isinstance(value, str):
        value = _number(float, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _number(kind: type[int | float], text: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise TypeError from None  # Python's words add nothing to "expected a number"


def _read_text(value: object, _: Source) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _read_path(value: object, source: Source) -> Path:
    if isinstance(value, str) and not value:
        raise TypeError
    if not isinstance(value, (str, Path)):
        raise TypeError
    path = Path(value).expanduser()
    return path if source.folder is None else source.folder / path


def _read_address(value: object, _: Source) -> Multiaddr:
    if not isinstance(value, (str, Multiaddr)) or not Multiaddr(value).to_bytes():
        raise TypeError
    return Multiaddr(value)


def _read_peer(value: object, _: Source) -> PeerId:
    if isinstance(value, PeerId):
        return value
    if not isinstance(value, str):
        raise TypeError
    return PeerId.from_string(value)


_READERS: Final[Mapping[Any, tuple[str, Callable[[object, Source], Any]]]] = {
    bool: ("true or false", _read_bool),
    int: ("a whole number", _read_int),
    float: ("a number", _read_float),
    str: ("text", _read_text),
    Path: ("a path", _read_path),
    Multiaddr: ("an address such as /ip4/127.0.0.1/tcp/2428", _read_address),
    PeerId: ("a peer id", _read_peer),
}
