"""Virtual time: runs in which waiting takes no time, the same on asyncio and trio."""

from __future__ import annotations

import asyncio
import selectors
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from anyio.lowlevel import checkpoint
from trio.testing import MockClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_WALL_TIME: Final = 1_800_000_000.0  # any moment will do


def run_virtually(backend: str, function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Like `anyio.run`, but when everybody waits the clock jumps to whoever waits the least."""
    options: dict[str, Any] = (
        {"clock": MockClock(autojump_threshold=0)}
        if backend == "trio"
        else {"loop_factory": VirtualLoop}
    )
    return anyio.run(function, *args, backend=backend, backend_options=options)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for no time, only moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.time += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on a clock that jumps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._jumping.time


class VirtualRuntime:
    """A `Runtime` of virtual time and seeded chance, whose work is done at once in the loop."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def now(self) -> float:
        """Seconds on the running loop's clock."""
        return anyio.current_time()

    def wall_time(self) -> float:
        """Seconds since 1970, as if the run had begun at a fixed moment."""
        return _WALL_TIME + anyio.current_time()

    def secret_bytes(self, count: int) -> bytes:
        """Bytes that anybody can guess."""
        return self.random.randbytes(count)

    async def offload(self, function: Callable[[], T]) -> T:
        """Run the function here."""
        await checkpoint()
        return function()
