"""Runtime: where a node gets its time, its chance and its threads from."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio
import anyio.to_thread

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
    """The operating system's clock, chance and threads; time is the event loop's own clock."""

    def __init__(self) -> None:
        self.random = random.Random()  # noqa: S311 - choices, not secrets

    def now(self) -> float:
        """Seconds on the running event loop's clock, which timeouts use as well."""
        return anyio.current_time()

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
