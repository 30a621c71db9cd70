"""Call: what a thread asks of an event loop in another one, and may give up."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._time_limit import TimeLimit

R = TypeVar("R")


class Call(Generic[R]):
    """An async function that is run in the loop once.

    Its methods are for the loop's thread. Ctrl-C can reach a caller before it knows whether the
    call has begun, so `give_up` may come first.

    Attributes:
        over: whether it has run, or has been given up while it did.
        exit: what it raised to end the program, which would end the loop's thread alone.
    """

    def __init__(self, function: Callable[[], Awaitable[R]], limit: TimeLimit | None) -> None:
        self.over = False
        self.exit: SystemExit | KeyboardInterrupt | None = None
        self._function = function
        self._limit = limit
        self._given_up = False
        self._scope: anyio.CancelScope | None = None
        self._end: anyio.Event | None = None

    async def run(self) -> R:
        """The function's result; raises TimeoutError past its limit.

        Raises CancelledError if it was given up, or `exit` is set.
        """
        self._end = anyio.Event()
        try:
            seconds = None if self._limit is None else self._limit.seconds
            with anyio.move_on_after(seconds) as self._scope:
                return await self._result(self._scope)
            if self._limit is not None and not self._given_up:
                raise self._limit.error()
        except (SystemExit, KeyboardInterrupt) as error:
            self.exit = error
        finally:
            self.over = True
            self._end.set()
        raise CancelledError

    async def give_up(self) -> None:
        """Cancel it; returns when it is over, or at once if it has not begun."""
        self._given_up = True
        if self._scope is not None and self._end is not None:
            self._scope.cancel()
            await self._end.wait()

    async def _result(self, scope: anyio.CancelScope) -> R:
        if self._given_up:
            scope.cancel()
            await checkpoint()
        return await self._function()
