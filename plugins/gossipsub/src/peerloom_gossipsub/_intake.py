"""What peers send, taken in so that none of them holds the loop, fills the memory or comes first.

What a frame may hold costs a second to verify; bounds on its size alone do not help.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom import PeerId, Stream

    from ._actions import Arrival

MAX_UNFINISHED_BYTES: Final = 64 * 1024 * 1024  # of all peers; one frame may take 4 MiB
TURN_SECONDS: Final = 0.002


class Turn:
    """How long a task has had the loop; it lets the others go on when that is enough."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.begin()

    def begin(self) -> None:
        """Others have had the loop until now."""
        self._began_at = self._now()

    async def rest(self) -> None:
        """Let others run if it is their turn."""
        if self._now() - self._began_at >= TURN_SECONDS:
            await checkpoint()
            self.begin()


class Verifications:
    """Messages that wait to be verified: each peer has its turn, however many another one sends."""

    def __init__(self) -> None:
        self._waiting: dict[PeerId, deque[Arrival]] = {}
        self._news = anyio.Event()

    def add(self, arrival: Arrival) -> None:
        """It has come."""
        self._waiting.setdefault(arrival.bringers[0], deque()).append(arrival)
        self._news.set()

    async def wait(self) -> None:
        """Return when there is one."""
        while not self._waiting:
            self._news = anyio.Event()
            await self._news.wait()

    def pop(self) -> Arrival:
        """The one whose turn it is."""
        peer, arrivals = next(iter(self._waiting.items()))
        arrival = arrivals.popleft()
        del self._waiting[peer]
        if arrivals:
            self._waiting[peer] = arrivals  # to the end
        return arrival

    def __bool__(self) -> bool:
        return bool(self._waiting)


class Unfinished:
    """What has arrived of frames whose rest has not: bounded for all streams together."""

    def __init__(self) -> None:
        self._bytes: dict[Stream, int] = {}
        self._total = 0

    def keep(self, stream: Stream, count: int) -> list[Stream]:
        """A stream keeps so many bytes now; gives those to be reset: that keep the most."""
        self._forget(stream)
        if count:
            self._bytes[stream] = count
            self._total += count
        given_up = []
        while self._total > MAX_UNFINISHED_BYTES:
            largest = max(self._bytes, key=self._bytes.__getitem__)
            self._forget(largest)
            given_up.append(largest)
        return given_up

    def _forget(self, stream: Stream) -> None:
        self._total -= self._bytes.pop(stream, 0)
