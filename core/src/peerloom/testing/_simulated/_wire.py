"""Wire: what is under way in a simulated network, in the order in which it arrives."""

from __future__ import annotations

import gc
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Final

import anyio

from peerloom._runtime import SystemRuntime
from peerloom._wakeup import wakeup_kind

if TYPE_CHECKING:
    from collections.abc import Callable

# Garbage is collected after so many arrivals, young objects only; some megabytes until then.
ARRIVALS_A_COLLECTION: Final = 100_000


class Wire:
    """Calls plain functions at their time, those of one time in the order in which they came.

    Made inside of the running event loop.

    Attributes:
        now: seconds on the running event loop's clock.
        wakeup: makes wakeups for the running event loop.
    """

    def __init__(self) -> None:
        self.now = SystemRuntime.of_running_loop().now
        self.wakeup = wakeup_kind()
        self._under_way: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._serial = count()
        self._earlier = self.wakeup()
        self._arrived = 0

    def at(self, time: float, arrive: Callable[[Any], object], what: Any) -> None:
        """Call ``arrive(what)`` at that time."""
        entry = (time, next(self._serial), arrive, what)
        heappush(self._under_way, entry)
        if self._under_way[0] is entry:
            self._earlier.set()

    def after(self, seconds: float, arrive: Callable[[Any], object], what: Any) -> None:
        """Call ``arrive(what)`` so much later."""
        self.at(self.now() + seconds, arrive, what)

    async def run(self) -> None:
        """Deliver, until cancelled."""
        while True:
            with anyio.CancelScope() as alarm:
                while True:
                    self._deliver()
                    alarm.deadline = self._under_way[0][0] if self._under_way else inf
                    await self._earlier.wait()

    def _deliver(self) -> None:
        under_way, now = self._under_way, self.now()
        while under_way and under_way[0][0] <= now:
            _, _, arrive, what = heappop(under_way)
            arrive(what)
            self._arrived += 1
            if not self._arrived % ARRIVALS_A_COLLECTION:
                gc.collect(1)
