"""What peers send, taken in so that none of them holds the loop, fills the memory or comes first.

What a frame may hold costs a second to verify; bounds on its size alone do not help.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from anyio.lowlevel import checkpoint

from ._change import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom import PeerId, Stream

    from ._actions import Arrival

MAX_UNFINISHED_BYTES: Final = 64 * 1024 * 1024  # of all peers: a mesh may send at once
# There and back, a ping meets ten turns of each busy task.
TURN_SECONDS: Final = 0.0005


class Turn:
    """How long a task has had the loop; it lets the others go on when that is enough."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.begin()

    def begin(self) -> None:
        """Others have had the loop until now."""
        self._began_at = self._now()

    @property
    def is_over(self) -> bool:
        """Whether it is the others' turn."""
        return self._now() - self._began_at >= TURN_SECONDS

    async def rest(self) -> None:
        """Let others run if it is their turn."""
        if self.is_over:
            await checkpoint()
            self.begin()


class Verifications:
    """Messages that wait to be verified: each peer has its turn, however many another one sends."""

    def __init__(self) -> None:
        self._waiting: dict[PeerId, deque[Arrival]] = {}
        self._news = Change()

    def add(self, arrival: Arrival) -> None:
        """It has come."""
        self._waiting.setdefault(arrival.bringers[0], deque()).append(arrival)
        self._news.tell()

    async def wait(self) -> None:
        """Return when there is one."""
        await self._news.until(lambda: self._waiting)

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
    """What has arrived of frames whose rest has not: bounded for each peer and for all."""

    def __init__(self, max_bytes_per_peer: int) -> None:
        self._max_bytes_per_peer = max_bytes_per_peer
        self._kept: dict[PeerId, dict[Stream, int]] = {}
        self.bytes = 0

    def keep(self, stream: Stream, count: int) -> list[Stream]:
        """A stream keeps so many bytes now; gives those to be reset: that keep the most."""
        self._forget(stream)
        if not count:
            return []
        ours = self._kept.setdefault(stream.peer, {})
        ours[stream] = count
        self.bytes += count
        given_up = []
        while sum(ours.values()) > self._max_bytes_per_peer:
            given_up.append(self._give_up(ours))
        while self.bytes > MAX_UNFINISHED_BYTES:
            largest = max(self._kept.values(), key=lambda each: sum(each.values()))
            given_up.append(self._give_up(largest))
        return given_up

    def _give_up(self, kept: dict[Stream, int]) -> Stream:
        largest = max(kept, key=kept.__getitem__)
        self._forget(largest)
        return largest

    def _forget(self, stream: Stream) -> None:
        kept = self._kept.get(stream.peer, {})
        self.bytes -= kept.pop(stream, 0)
        if not kept:
            self._kept.pop(stream.peer, None)
