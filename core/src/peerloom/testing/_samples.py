"""Samples: some value of a type, to make commands and events of that nobody has written down."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

import attrs
from multiaddr import Multiaddr

from peerloom._events import Event, Lagged, PluginFailed, SlowHandler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peerloom._commands import Command

_PLAIN: Final[Mapping[Any, object]] = {
    bool: True,
    int: 1,
    float: 1.0,
    str: "sample",
    bytes: b"sample",
    object: "sample",
    Path: Path("sample"),
    Multiaddr: Multiaddr("/ip4/192.0.2.7/tcp/4001"),
    BaseException: OSError("a sample"),
    Exception: OSError("a sample"),
}
# Of these a handler that does wrong would be told for ever.
_NOT_TOLD: Final = (Lagged, PluginFailed, SlowHandler)


class NoSampleError(Exception):
    """Of such a type no value can be guessed."""


def core_events(known: Mapping[type[Any], object]) -> Iterator[Event]:
    """One of each event that core tells or that plugins share, built of what is known."""
    public = import_module("peerloom.plugin")
    for value in vars(public).values():
        if (
            isinstance(value, type)
            and issubclass(value, Event)
            and value not in {Event, *_NOT_TOLD}
        ):
            yield sample_of(value, known)


def samples(
    classes: Sequence[type[Command[Any]]], known: Mapping[type[Any], object]
) -> list[Command[Any]]:
    """One of each command that can be guessed."""
    made = []
    for one in classes:
        try:
            made.append(sample_of(one, known))
        except NoSampleError:
            continue
    return made


def sample_of(wanted: type[Any], known: Mapping[type[Any], object]) -> Any:
    """An instance whose fields are as little as their types allow; raises `NoSampleError`."""
    if not attrs.has(wanted):
        raise NoSampleError(f"{wanted.__name__} is no attrs class")
    required = (field for field in attrs.fields(wanted) if field.default is attrs.NOTHING)
    values = {field.alias: _value(_resolved(wanted, field), known) for field in required}
    try:
        return wanted(**values)
    except (ValueError, TypeError) as error:
        raise NoSampleError(f"{wanted.__name__} refuses {values}") from error


def _resolved(owner: type[Any], field: attrs.Attribute[Any]) -> Any:
    """The field's type; names that only type checkers see are looked for in public modules."""
    if not isinstance(field.type, str):
        return field.type
    module = sys.modules[owner.__module__]
    names: dict[str, Any] = {}
    for place in ("typing", "collections.abc", "pathlib", "peerloom", "peerloom.plugin"):
        names |= vars(import_module(place))
    names |= vars(import_module(owner.__module__.partition(".")[0]))
    names |= {"Multiaddr": Multiaddr, **vars(module)}
    try:
        return eval(field.type, names)  # noqa: S307 - an annotation of code that runs anyway
    except NameError as error:
        raise NoSampleError(f"{owner.__name__}.{field.name}: {error}") from error


def _value(kind: Any, known: Mapping[type[Any], object]) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    at_hand = {**_PLAIN, **known}
    if kind in at_hand:
        return at_hand[kind]
    if origin is Literal:
        return arguments[0]
    if origin in {Union, UnionType}:
        return None if NoneType in arguments else _value(arguments[0], known)
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return {}
    if inspect.isclass(origin) and issubclass(origin, Collection):
        return _collection(origin, arguments, known)
    return _instance(kind, known)


def _collection(
    origin: type[Any], arguments: Sequence[Any], known: Mapping[type[Any], object]
) -> Any:
    fixed = origin is tuple and Ellipsis not in arguments
    values = [_value(one, known) for one in (arguments if fixed else arguments[:1])]
    return tuple(values) if inspect.isabstract(origin) else origin(values)


def _instance(kind: Any, known: Mapping[type[Any], object]) -> Any:
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return next(iter(kind))
    if inspect.isclass(kind) and attrs.has(kind):
        return sample_of(kind, known)
    raise NoSampleError(f"what a {kind} may be cannot be guessed")
