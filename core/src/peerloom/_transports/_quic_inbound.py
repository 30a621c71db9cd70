"""InboundIds: which stream ids of the other side have been seen."""

from __future__ import annotations

from typing import Final

from peerloom._links import Role

_STEP: Final = 4  # RFC 9000 section 2.1: the lowest two bits tell who opened it, and its kind


class InboundIds:
    """Tells new streams from late news of old ones; pure.

    A stream's first datagram may come behind that of a later stream; the engine's limit on open
    streams bounds how many such gaps there are.
    """

    def __init__(self, opener: Role) -> None:
        """`opener` is the other side's role."""
        self._next = 0 if opener is Role.DIALER else 1
        self._kind = self._next
        self._missing: set[int] = set()

    def is_new(self, stream_id: int) -> bool:
        """Whether the other side opens a stream by this; says so once for each."""
        if stream_id % _STEP != self._kind:
            return False
        if stream_id >= self._next:
            self._missing.update(range(self._next, stream_id, _STEP))
            self._next = stream_id + _STEP
            return True
        if stream_id in self._missing:
            self._missing.remove(stream_id)
            return True
        return False
