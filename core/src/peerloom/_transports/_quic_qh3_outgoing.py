"""Outgoing: what the streams of a connection on qh3 have to send, of which qh3 is given a little.

qh3 takes a frame of 16 streams out of turn, when a probe is due of all streams, and lets no
acknowledgement pass them while its congestion window is full. Two sides that sent on 64 streams at
once waited for each other's acknowledgements until the connection timed out. So only a few streams
have data there; the others wait here, for their turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._muxers._byte_queue import ByteQueue

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_STREAMS: Final = 4  # with 4 nothing waits, with 8 sometimes a probe's time, with 32 for ever
TURN_BYTES: Final = 32_768  # of a stream, while others wait
# What fits into one datagram need not wait for that: so many more streams may send so little.
SPARE_STREAMS: Final = 4
SHORT_BYTES: Final = 1200


class _Rest:
    __slots__ = ("end", "queue")

    def __init__(self) -> None:
        self.queue = ByteQueue()
        self.end = False


class Outgoing:
    """Hands streams' data on, a few streams at a time.

    `give` hands bytes and perhaps the end of a stream to qh3, and tells whether it takes them;
    `left` says how many bytes of a stream it has not sent.
    """

    def __init__(
        self,
        give: Callable[[int, bytes | memoryview, bool], bool],
        left: Callable[[int], int],
    ) -> None:
        self._give = give
        self._left = left
        self._given: dict[int, None] = {}
        self._short: dict[int, None] = {}
        self._waiting: dict[int, _Rest] = {}
        self.bytes = 0

    def waiting(self, stream_id: int) -> int:
        """How many bytes of a stream wait here."""
        rest = self._waiting.get(stream_id)
        return rest.queue.size if rest else 0

    def send(self, stream_id: int, data: bytes | memoryview, *, end: bool) -> bool:
        """Take bytes over, and perhaps the end; gives False if the other side wants no more."""
        rest = self._waiting.get(stream_id)
        if rest is None:
            if self._has_turn(stream_id) or self._is_short(stream_id, len(data)):
                return self._give(stream_id, data, end)
            rest = self._waiting[stream_id] = _Rest()
        if data:
            rest.queue.append(bytes(data))
            self.bytes += len(data)
        rest.end = rest.end or end
        return True

    def refill(self) -> bool:
        """Hand on what there is a turn for; gives whether that was anything."""
        if not self._waiting:
            return False
        self._forget_sent(self._given)
        given = False
        for stream_id in list(self._waiting):
            if len(self._given) >= MOST_STREAMS:
                break
            if not self._left(stream_id):
                self._hand_on(stream_id)
                given = True
        return given

    def park(self) -> None:
        """What was handed on cannot go, since its receivers hold it: let others have a turn."""
        self._given.clear()
        self._short.clear()

    def drop(self, stream_id: int) -> None:
        """A stream has ended: nothing more of it is to be sent."""
        self._given.pop(stream_id, None)
        self._short.pop(stream_id, None)
        if (rest := self._waiting.pop(stream_id, None)) is not None:
            self.bytes -= rest.queue.size

    def _has_turn(self, stream_id: int) -> bool:
        return not self._waiting and self._enter(self._given, MOST_STREAMS, stream_id)

    def _is_short(self, stream_id: int, size: int) -> bool:
        if size > SHORT_BYTES or self._left(stream_id):
            return False
        return self._enter(self._short, SPARE_STREAMS, stream_id)

    def _enter(self, given: dict[int, None], most: int, stream_id: int) -> bool:
        if stream_id not in given:
            if len(given) >= most:
                self._forget_sent(given)
            if len(given) >= most:
                return False
            given[stream_id] = None
        return True

    def _forget_sent(self, given: dict[int, None]) -> None:
        for stream_id in [each for each in given if not self._left(each)]:
            del given[stream_id]

    def _hand_on(self, stream_id: int) -> None:
        rest = self._waiting.pop(stream_id)
        data = rest.queue.read(TURN_BYTES)
        self.bytes -= len(data)
        if not self._give(stream_id, data, rest.end and not rest.queue.size):
            self.bytes -= rest.queue.size
            return
        self._given[stream_id] = None
        if rest.queue.size:
            self._waiting[stream_id] = rest  # behind the others
