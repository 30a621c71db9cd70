"""UnreadLedger: what has arrived on all connections of a node and nobody has read, and its bound.

Each connection bounds its own streams; a thousand of them could still hold gigabytes.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._peer_id import PeerId

# A connection that holds so much more or less than it has told tells it: small messages that are
# read at once, of which there are thousands a second, are not worth it.
TOLD_BYTES: Final = 16 * 1024
_WARNING_SECONDS: Final = 60.0  # between two warnings: whoever floods this node writes no log

_log = logging.getLogger("peerloom.swarm")


class Holder(Protocol):
    """A connection, as the ledger sees it.

    Attributes:
        peer: whose data it holds.
    """

    peer: PeerId

    @property
    def unread_bytes(self) -> int:
        """What it holds now."""
        ...

    def shed(self, nbytes: int) -> int:
        """Reset streams, those that hold most first, until so much is free; how many."""
        ...


class UnreadLedger:
    """Sums up what connections hold unread; past the limit, the peer that holds most loses streams.

    From half of the limit on windows no longer grow, and those that have grown shrink as they are
    read. Connections tell it when a read of their socket has brought much, not for each frame; what
    was read since is found out before anything is reset, and now and then.

    Attributes:
        limit_bytes: the bound.
        total: what the connections hold, as far as they have told.
        streams_reset: how many streams were reset because of the limit.
    """

    def __init__(
        self, limit_bytes: float = math.inf, now: Callable[[], float] = lambda: math.inf
    ) -> None:
        self.limit_bytes = limit_bytes
        self.total: int = 0
        self.streams_reset: int = 0
        self._now = now
        self._warn_at = -math.inf
        self._entries: WeakKeyDictionary[Holder, LedgerEntry] = WeakKeyDictionary()
        self._relieving = False

    @property
    def tight(self) -> bool:
        """Whether windows must not grow."""
        return 2 * self.total > self.limit_bytes

    def open(self, holder: Holder) -> LedgerEntry:
        """An entry for a connection; it ends with the last reference to that."""
        entry = self._entries[holder] = LedgerEntry(self)
        return entry

    def recount(self) -> None:
        """Ask every connection, those included that have ended and still hold something.

        To be called every few seconds.
        """
        self._ask_all()
        if self.total > self.limit_bytes:
            self.relieve()

    def _ask_all(self) -> None:
        total = 0
        for holder, entry in self._entries.items():
            entry.told = holder.unread_bytes
            total += entry.told
        self.total = total

    def relieve(self) -> None:
        """Reset streams until what is unread is within the limit."""
        if self._relieving:
            return
        self._relieving = True
        try:
            self._ask_all()
            while self.total > self.limit_bytes and self._relieve_fullest():
                self._ask_all()
        finally:
            self._relieving = False

    def _relieve_fullest(self) -> int:
        """Let the peer that holds most hold half as much; how many streams that took.

        Half, since for the sake of single bytes the search would cost more than it gives.
        """
        by_peer: defaultdict[PeerId, list[Holder]] = defaultdict(list)
        for holder in self._entries:
            by_peer[holder.peer].append(holder)
        peer, holders = max(by_peer.items(), key=lambda one: _held(one[1]))
        held = _held(holders)
        count, excess = 0, held - held // 2
        for holder in sorted(holders, key=lambda one: one.unread_bytes, reverse=True):
            if excess > 0:
                before = holder.unread_bytes
                count += holder.shed(excess)
                excess -= before - holder.unread_bytes
        self.streams_reset += count
        self._warn(peer, held, count)
        return count

    def _warn(self, peer: PeerId, held: int, count: int) -> None:
        now = self._now()
        if now >= self._warn_at:
            self._warn_at = now + _WARNING_SECONDS
            _log.warning(
                "%d streams of %s were reset: %d bytes are unread on all connections "
                "(limits.unread_bytes is %.0f), %d of them from that peer, the most of all.",
                *(count, peer, self.total, self.limit_bytes, held),
            )


class LedgerEntry:
    """What one connection has told.

    Attributes:
        told: that.
    """

    __slots__ = ("_ledger", "told")

    def __init__(self, ledger: UnreadLedger) -> None:
        self.told: int = 0
        self._ledger = ledger

    def tell(self, unread: int) -> None:
        """So much is unread now; what differs by little from what was told is not told."""
        grown = unread - self.told
        if -TOLD_BYTES < grown < TOLD_BYTES:
            return
        ledger = self._ledger
        self.told = unread
        ledger.total += grown
        if grown > 0 and ledger.total > ledger.limit_bytes:
            ledger.relieve()


def _held(holders: list[Holder]) -> int:
    return sum(holder.unread_bytes for holder in holders)
