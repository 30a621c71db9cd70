"""stream-open: open a stream, echo a byte, close it; one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .repeated import Repeated

if TYPE_CHECKING:
    from .pairs import Pair

_COUNT = 1000


async def _measure(pair: Pair, count: int) -> float:
    async with pair.connected() as listener:
        done = await pair.dialer.request("open-streams", peer=listener, count=count)
    return count / float(done["seconds"])


BENCHMARK = Repeated(_measure, _COUNT).benchmark("stream-open", "streams/s")
