"""What commands are given: checked where the application gives it."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrs import Attribute


def is_async(_: object, attribute: Attribute[Any], function: Any) -> None:
    """Raise TypeError unless calling it gives something to await."""
    called = function
    while isinstance(called, partial):
        called = called.func
    if not (iscoroutinefunction(called) or iscoroutinefunction(type(called).__call__)):
        raise TypeError(f"{attribute.name} must be an async function, not {function!r}")
