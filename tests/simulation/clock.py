"""The virtual time of a `SimulatedNetwork` on asyncio, which its `run` does without: not seeded."""

from __future__ import annotations

import asyncio
import selectors
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom.testing import SimulatedNetwork

T = TypeVar("T")


def run_on_asyncio(
    network: SimulatedNetwork, scenario: Callable[..., Awaitable[T]], *args: Any
) -> T:
    """Like `SimulatedNetwork.run`, on asyncio."""

    async def play() -> T:
        async with network.running():
            return await scenario(network, *args)

    options = {"loop_factory": lambda: _VirtualLoop(network)}
    return anyio.run(play, backend="asyncio", backend_options=options)


class _VirtualSelector(selectors.DefaultSelector):
    """Waits for no time: it lets the network's go on."""

    def __init__(self, network: SimulatedNetwork) -> None:
        super().__init__()
        self._wire = network._world.internet.wire

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self._wire.advance(inf if timeout is None else self._wire.time + timeout)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, network: SimulatedNetwork) -> None:
        super().__init__(_VirtualSelector(network))
        self._now = network._world.internet.wire.now

    def time(self) -> float:
        return self._now()
