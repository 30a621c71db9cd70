"""handshake: from the dial to the listener's identify message; one connection after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .repeated import Repeated

if TYPE_CHECKING:
    from .pairs import Pair

_COUNT = 100


async def _measure(pair: Pair, count: int) -> float:
    listener = pair.listener
    done = await pair.dialer.request(
        "shake-hands", address=listener.address, peer=listener.id, count=count
    )
    return count / float(done["seconds"])


BENCHMARK = Repeated(_measure, _COUNT).benchmark("handshake", "connections/s")
