"""Runtime: where a node gets its time, its chance and its threads from."""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import anyio
import anyio.to_thread

from ._backend import runs_on_trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Runtime(Protocol):
    """All that a node may take from the outside world besides its sockets."""

    @property
    def random(self) -> random.Random:
        """The node's generator, for choices that need no secrecy."""
        ...

    def now(self) -> float:
        """Seconds on a clock that never runs backwards; its zero means nothing."""
        ...

    def wall_time(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    def secret_bytes(self, count: int) -> bytes:
        """Bytes that nobody can guess."""
        ...

    async def offload(self, function: Callable[[], T]) -> T:
        """Run a function that would hold the loop elsewhere, and give its result."""
        ...


class SystemRuntime:
    """The operating system's clock, chance and threads; `now` is the event loop's own clock."""

    def __init__(self) -> None:
        self.random: random.Random = random.Random()  # noqa: S311 - choices, not secrets
        self.now: Callable[[], float] = anyio.current_time

    @classmethod
    def of_running_loop(cls) -> Self:
        """One for the event loop that runs now, and for no other.

        It asks that loop's clock; to ask first which loop runs takes several times as long.
        """
        runtime = cls()
        runtime.now = _clock_of_running_loop()
        return runtime

    def stopwatch(self) -> float:
        """Seconds for durations only, at a tenth of what `now` costs."""
        return time.perf_counter()

    def wall_time(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def secret_bytes(self, count: int) -> bytes:
        """Bytes of the operating system's generator."""
        return os.urandom(count)

    async def offload(self, function: Callable[[], T]) -> T:
        """Run the function in a worker thread; a cancelled caller lets it finish unheard."""
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)


def _clock_of_running_loop() -> Callable[[], float]:
    if runs_on_trio():
        import trio  # noqa: PLC0415 - it is not imported for those that run on asyncio

        return trio.lowlevel.current_clock().current_time
    return asyncio.get_running_loop().time
