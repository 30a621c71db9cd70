"""Runs in which waiting takes no time and chance comes from a seed: trio only."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from random import Random

    from ._wire import Wire

T = TypeVar("T")

_FOR_EVER: Final = 86_400.0  # trio itself waits no longer


def run_in_virtual_time(function: Callable[[], Awaitable[T]], wire: Wire, order: Random) -> T:
    """Like `anyio.run` on trio; when everybody waits, time goes on to whatever comes first.

    Tasks that are ready at the same time run in an order that `order` draws.
    """
    import trio  # noqa: PLC0415 - only simulations need it

    with _deterministic(order), _without_garbage_collection():
        return trio.run(function, clock=_clock_of(wire))  # anyio 4.11 would drop the clock


def _clock_of(wire: Wire) -> Any:
    from trio.abc import Clock  # noqa: PLC0415

    class VirtualClock(Clock):
        """Asked how long to sleep, which happens when no task is ready, it sleeps at once."""

        def start_clock(self) -> None:
            """It does not run by itself."""

        def current_time(self) -> float:
            return wire.time

        def deadline_to_sleep_time(self, deadline: float) -> float:
            return 0.0 if wire.advance(deadline) else _FOR_EVER

    return VirtualClock()


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
