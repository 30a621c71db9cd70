"""Unread: what a session's streams have received and nobody has read."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from ._yamux_state import Reset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._yamux_session import YamuxSession
    from ._yamux_state import StreamState


_FEW: Final = 16


class Unread:
    """Counts it, and knows the streams that are over and still hold some.

    Attributes:
        size: bytes of all streams; whoever adds to a stream or reads from it changes this as well.
    """

    __slots__ = ("_most", "_over", "size")

    def __init__(self) -> None:
        self.size = 0
        self._over: dict[int, StreamState] = {}
        self._most = _FEW  # then those that have been read are looked for

    def keep(self, stream: StreamState) -> None:
        """The session has let it go; unless it is released, what has arrived can still be read."""
        if stream.released:
            self.drop(stream)
        elif stream.received.size:
            self._over[stream.id] = stream
            if len(self._over) > self._most:
                self._over = {each.id: each for each in self._over.values() if each.received.size}
                self._most = 2 * len(self._over) + _FEW

    def drop(self, stream: StreamState) -> None:
        """Nobody will read it."""
        self.size -= stream.received.size
        stream.received.clear()
        self._over.pop(stream.id, None)

    def fullest(self, nbytes: int, live: Iterable[StreamState]) -> list[StreamState]:
        """The streams that hold so much together, those first that hold most."""
        found: list[StreamState] = []
        for stream in sorted(chain(live, self._over.values()), key=_held, reverse=True):
            if nbytes <= 0 or not stream.received.size:
                break
            found.append(stream)
            nbytes -= stream.received.size
        return found


def shed(session: YamuxSession, nbytes: int) -> int:
    """Reset streams, those first that hold most unread, until so much is free; how many."""
    fullest = session.unread.fullest(nbytes, session.streams)
    for stream in fullest:
        session.reset(stream)
        stream.reset = Reset.SHED
    return len(fullest)


def _held(stream: StreamState) -> int:
    return stream.received.size
