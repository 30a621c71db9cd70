"""Wakeup: an event that can be waited for again and again.

anyio's event stands on asyncio's and trio's: what it adds for each wait and each `set` was a fifth
of what a small message costs a node. These two stand on what asyncio and trio are built of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ._backend import runs_on_trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Wakeup(Protocol):
    """Wakes whoever waits at the moment; check the condition, then wait, with no await between."""

    def set(self) -> None:
        """Wake all that wait."""
        ...

    def wait(self) -> Awaitable[None]:
        """Wait for the next `set`; to be awaited at once."""
        ...


class AsyncioWakeup:
    """See `Wakeup`. Nearly always one task waits, and for the others there is a list."""

    __slots__ = ("_first", "_loop", "_others")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[None] | None = None
        self._others: list[asyncio.Future[None]] | tuple[()] = ()

    def set(self) -> None:
        """See `Wakeup`."""
        first = self._first
        if first is not None:
            self._first = None
            if not first.done():
                first.set_result(None)
            if self._others:
                self._set_others()

    def wait(self) -> asyncio.Future[None]:
        """See `Wakeup`."""
        waiter = self._loop.create_future()
        if self._first is None or self._first.done():
            self._first = waiter
        else:
            self._others = [*(other for other in self._others if not other.done()), waiter]
        return waiter

    def _set_others(self) -> None:
        others, self._others = self._others, ()
        for waiter in others:
            if not waiter.done():
                waiter.set_result(None)


def wakeup_kind() -> Callable[[], Wakeup]:
    """What makes wakeups for the running event loop."""
    if runs_on_trio():
        from ._wakeup_trio import TrioWakeup  # noqa: PLC0415 - it needs trio

        return TrioWakeup
    return AsyncioWakeup
