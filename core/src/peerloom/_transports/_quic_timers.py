"""Timers: when each connection of an endpoint wants to be called; pure."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._quic_link import QuicLink

_FOREVER: Final = float("inf")
_SLACK: Final = 64  # stale entries that are not worth cleaning up


class Timers:
    """A heap with one valid entry a connection, the earliest that was set.

    A deadline that moves away is left as it is: when it comes, the connection says its new one.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._entries: dict[QuicLink, tuple[float, int]] = {}
        self._links: dict[int, QuicLink] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> float:
        """The earliest deadline; infinity if there is none."""
        return self._heap[0][0] if self._heap else _FOREVER

    def set(self, link: QuicLink, deadline: float) -> bool:
        """Call the link then; gives whether that is earlier than what was set before."""
        old = self._entries.get(link)
        if old is not None:
            if deadline >= old[0]:
                return False
            del self._links[old[1]]
        entry = self._entries[link] = (deadline, next(self._numbers))
        self._links[entry[1]] = link
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 4 * len(self._entries) + _SLACK:
            self._heap = sorted(self._entries.values())
        return True

    def due(self, now: float) -> list[QuicLink]:
        """Those whose time has come; each must be set again."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            link = self._links.pop(heapq.heappop(self._heap)[1], None)
            if link is not None:
                del self._entries[link]
                found.append(link)
        return found

    def forget(self, link: QuicLink) -> None:
        """The link is gone."""
        entry = self._entries.pop(link, None)
        if entry is not None:
            del self._links[entry[1]]
