"""latency: how long the echo of 100 bytes takes on an open stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.benchmark import Measured

from .repeated import Repeated

if TYPE_CHECKING:
    from .pairs import Pair

_BYTES = 100
_COUNT = 2000


async def _measure(pair: Pair, count: int) -> Measured:
    async with pair.connected() as listener:
        done = await pair.dialer.request("echo", peer=listener, count=count, bytes=_BYTES)
    seconds = sorted(done["seconds"])
    return Measured(_percentile(seconds, 50), {"p99": _percentile(seconds, 99)})


def _percentile(seconds: list[float], percent: int) -> float:
    return seconds[(len(seconds) - 1) * percent // 100] * 1000


BENCHMARK = Repeated(_measure, _COUNT).benchmark("latency", "ms (p50)", lower_is_better=True)
