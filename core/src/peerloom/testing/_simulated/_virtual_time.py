"""Runs in which waiting takes no time and chance comes from a seed: trio only."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from random import Random

T = TypeVar("T")


def run_in_virtual_time(function: Callable[[], Awaitable[T]], order: Random) -> T:
    """Like `anyio.run` on trio; when everybody waits, the clock jumps to whoever waits the least.

    Tasks that are ready at the same time run in an order that `order` draws.
    """
    from trio.testing import MockClock  # noqa: PLC0415 - only simulations need it

    with _deterministic(order), _without_garbage_collection():
        options: dict[str, Any] = {"clock": MockClock(autojump_threshold=0)}
        return anyio.run(function, backend="trio", backend_options=options)


@contextmanager
def _deterministic(order: Random) -> Generator[None, None, None]:
    """The two private names that trio has for this, used as its own Hypothesis plugin uses them."""
    import trio._core._run as run  # noqa: PLC0415

    scheduler: Any = run
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r  # noqa: SLF001
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = True, order  # noqa: SLF001
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = before  # noqa: SLF001


@contextmanager
def _without_garbage_collection() -> Generator[None, None, None]:
    """Finalizers belong to what happens: the wire collects instead, always at the same points."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
