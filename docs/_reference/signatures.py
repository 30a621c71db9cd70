"""How a class is made, how a function is called, as one reads it in code."""

from __future__ import annotations

import builtins
import collections.abc
import pathlib
import re
import typing
from collections import defaultdict
from enum import Enum
from inspect import Parameter, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, Final

from attrs import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

WIDTH: Final = 88
STARS: Final[Mapping[Any, str]] = defaultdict(
    str, {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
)
CLASS: Final = re.compile(r"\b[A-Z]\w+")
LIBRARY: Final = (builtins, typing, collections.abc, pathlib)
MODULE: Final = re.compile(r"\b(?:[a-z_][\w]*\.)+(?=[A-Z])")


def of_callable(name: str, function: Callable[..., Any]) -> str:
    """``await name(a: int, *, b: str = "c") -> float``; without self."""
    called = signature(function)
    parameters = [one for one in called.parameters.values() if one.name not in {"self", "cls"}]
    prefix = "await " if iscoroutinefunction(function) else ""
    result = type_text(called.return_annotation)
    return _joined(f"{prefix}{name}", _with_marks(parameters), result)


def of_class(name: str, made: type, public: Collection[str]) -> str:
    """``Name(a: int, b: str = "c")``; the name alone where no user makes one."""
    if issubclass(made, Enum):
        return "\n".join(f"{name}.{one.name}" for one in made)
    parameters = signature(made).parameters.values() if _is_made_by_hand(made) else ()
    if not parameters or not all(_is_public(one, public) for one in parameters):
        return name
    return _joined(name, _with_marks(parameters), "")


def _is_made_by_hand(made: type) -> bool:
    is_ours = made.__module__.startswith("peerloom")
    is_protocol = getattr(made, "_is_protocol", False)
    return is_ours and not is_protocol and not issubclass(made, BaseException)


def _is_public(one: Parameter, public: Collection[str]) -> bool:
    names = CLASS.findall(type_text(one.annotation))
    return all(name in public or any(hasattr(it, name) for it in LIBRARY) for name in names)


def type_text(annotation: Any) -> str:
    """An annotation without the modules of its names."""
    if annotation in (Parameter.empty, "None", None, type(None)):
        return ""
    text = annotation if isinstance(annotation, str) else _repr_of_type(annotation)
    return MODULE.sub("", text)


def value_text(value: Any) -> str:
    """A default, so that it is the same on every machine."""
    if value is NOTHING:  # attrs makes it by a factory
        return "..."
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, pathlib.Path):
        return str(value)
    if value.__class__.__repr__ is object.__repr__ or callable(value):
        return "..."
    return repr(value)


def _repr_of_type(annotation: Any) -> str:
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation)


def _with_marks(parameters: Iterable[Parameter]) -> list[str]:
    shown: list[str] = []
    for one in parameters:
        if one.kind is Parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(_parameter(one))
    return shown


def _parameter(one: Parameter) -> str:
    text = f"{STARS[one.kind]}{one.name}"
    kind = type_text(one.annotation)
    if kind:
        text += f": {kind}"
    if one.default is not Parameter.empty:
        text += f" = {value_text(one.default)}" if kind else f"={value_text(one.default)}"
    return text


def _joined(name: str, parameters: list[str], result: str) -> str:
    arrow = f" -> {result}" if result else ""
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"    {one},\n" for one in parameters)
    return f"{name}(\n{inner}){arrow}"
