"""Virtual time on asyncio as well, which `SimulatedNetwork.run` does without: it is not seeded."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from trio.testing import MockClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


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
