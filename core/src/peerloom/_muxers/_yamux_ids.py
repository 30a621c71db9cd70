"""Which stream ids have been used, by either side, in bounded memory."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from peerloom._errors import StreamLimitReached

LAST_ID: Final = 2**32 - 1
# rust-yamux numbers a stream when it is opened and announces it when something is written: ids
# arrive out of order, and some never. It keeps at most 256 streams unannounced.
MAX_GAPS: Final = 512


class OwnIds:
    """Numbers the streams opened here: odd ones for the dialler, even ones for the listener."""

    def __init__(self, *, dialer: bool) -> None:
        self._next = 1 if dialer else 2

    def next(self) -> int:
        """A fresh number."""
        number = self._next
        if number > LAST_ID:
            raise StreamLimitReached("this link has used up its stream ids; open another one")
        self._next += 2
        return number

    def owns(self, stream_id: int) -> bool:
        """Whether the number is one of this side's."""
        return stream_id % 2 == self._next % 2

    def used(self, stream_id: int) -> bool:
        """Whether a stream with this number was opened here."""
        return stream_id < self._next


class ForeignIds:
    """Remembers which numbers the other side has used; each may be used once."""

    def __init__(self, *, dialer: bool) -> None:
        self._next = 2 if dialer else 1
        self._gaps: list[range] = []

    def used(self, stream_id: int) -> bool:
        """Whether the number was used, or belongs to gaps too old to be remembered."""
        return stream_id < self._next and self._gap_of(stream_id) is None

    def use(self, stream_id: int) -> bool:
        """Take the number; False if it is not the other side's, or was used."""
        if stream_id % 2 != self._next % 2 or self.used(stream_id):
            return False
        if stream_id >= self._next:
            self._add_gap(range(self._next, stream_id, 2))
            self._next = stream_id + 2
        else:
            self._split_gap(stream_id)
        return True

    def _add_gap(self, gap: range) -> None:
        if gap:
            self._gaps.append(gap)
            del self._gaps[:-MAX_GAPS]

    def _gap_of(self, stream_id: int) -> int | None:
        index = bisect_right(self._gaps, stream_id, key=lambda gap: gap.start) - 1
        return index if index >= 0 and stream_id in self._gaps[index] else None

    def _split_gap(self, stream_id: int) -> None:
        index = self._gap_of(stream_id)
        assert index is not None
        gap = self._gaps[index]
        parts = (range(gap.start, stream_id, 2), range(stream_id + 2, gap.stop, 2))
        self._gaps[index : index + 1] = [part for part in parts if part]
        del self._gaps[:-MAX_GAPS]
