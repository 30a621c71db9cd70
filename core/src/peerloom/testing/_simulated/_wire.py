"""Wire: virtual time, and what is under way in it, in the order in which it arrives."""

from __future__ import annotations

import gc
from heapq import heappop, heappush
from itertools import count
from math import ceil, inf
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Arrivals come at multiples of this, about a microsecond. Their sums are exact: what takes a tenth
# of a second one way takes no less than two tenths there and back.
TICK_SECONDS: Final = 2.0**-20
# Garbage is collected after so many arrivals, young objects only; some megabytes until then.
ARRIVALS_A_COLLECTION: Final = 100_000


class Wire:
    """Calls plain functions at their time, those of one time in the order in which they came.

    An event loop that has nothing to do calls `advance`: that is how time passes.

    Attributes:
        time: virtual seconds since the start.
        arrived: how much has arrived so far.
    """

    def __init__(self) -> None:
        self.time: float = 0.0
        self.arrived: int = 0
        self._under_way: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._serial = count()

    def now(self) -> float:
        """The time."""
        return self.time

    def at(self, time: float, arrive: Callable[[Any], object], what: Any) -> None:
        """Call ``arrive(what)`` at that time, rounded up to a tick."""
        tick = ceil(time / TICK_SECONDS) * TICK_SECONDS
        heappush(self._under_way, (tick, next(self._serial), arrive, what))

    def after(self, seconds: float, arrive: Callable[[Any], object], what: Any) -> None:
        """Call ``arrive(what)`` so much later."""
        self.at(self.time + seconds, arrive, what)

    def advance(self, until: float = inf) -> bool:
        """Go on to the next arrival, or at most to a time; gives whether there was either."""
        under_way = self._under_way
        time = min(until, under_way[0][0]) if under_way else until
        if time == inf:
            return False
        self.time = max(time, self.time)
        while under_way and under_way[0][0] <= time:
            _, _, arrive, what = heappop(under_way)
            arrive(what)
            self.arrived += 1
            if not self.arrived % ARRIVALS_A_COLLECTION:
                gc.collect(1)
        return True
