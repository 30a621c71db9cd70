"""What each way into a portal takes, and which way takes what was given to the wrong one."""

from __future__ import annotations

from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager
from inspect import iscoroutine


def check_function(given: object) -> None:
    """Raise TypeError unless it is for `Portal.run`."""
    if iscoroutine(given):
        given.close()
        name = given.__name__
        raise TypeError(f"expected a function: write run({name}), not run({name}())")
    # What a decorated generator gives can be called as well, to decorate.
    if isinstance(given, AbstractAsyncContextManager) or not callable(given):
        raise TypeError(f"run() takes a function, not {given!r}{_advice(given)}")


def check_manager(given: object) -> None:
    """Raise TypeError unless it is for `Portal.enter`."""
    if not isinstance(given, AbstractAsyncContextManager):
        raise TypeError(f"enter() takes what is for `async with`, not {given!r}{_advice(given)}")


def check_iterable(given: object) -> None:
    """Raise TypeError unless it is for `Portal.iterate`."""
    if not isinstance(given, AsyncIterable):
        raise TypeError(f"iterate() takes what is for `async for`, not {given!r}{_advice(given)}")


def _advice(given: object) -> str:
    if iscoroutine(given):
        given.close()
        return f": give it what run({given.__name__}, ...) gives"
    if isinstance(given, AbstractAsyncContextManager):
        return ": that is for enter()"
    return ": that is for iterate()" if isinstance(given, AsyncIterable) else ""
