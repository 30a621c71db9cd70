"""The receive window of a stream: enforced to the byte, and grown with the path."""

from __future__ import annotations

from typing import Final

from peerloom._errors import MuxerViolation
from peerloom._unread import UnreadLedger

from ._yamux_frames import INITIAL_WINDOW_BYTES

# On short paths a round trip measured while idle (0.1 ms on loopback) says little about a busy
# one: loops are woken late, and the kernel's buffers lie between.
MIN_ROUND_TRIP_SECONDS: Final = 0.010
# TCP's slow start doubles what it sends with every round trip, for which credit must be twice as
# far ahead of the reader. Half a window at a time, as others grant it, never is: six round trips
# were lost. In quarters it is, if the window is eight times what is read within a round trip.
GRANTS_A_WINDOW: Final = 4
GROWING_ROUND_TRIPS: Final = 2


class WindowBudget:
    """By how much the windows of one link may still grow, together.

    None does while the node holds too much that nobody has read, whose ledger says so.
    """

    __slots__ = ("_ledger", "left")

    def __init__(self, total: int, ledger: UnreadLedger | None = None) -> None:
        self.left = total
        self._ledger = ledger or UnreadLedger()

    @property
    def tight(self) -> bool:
        """Whether windows that have grown must shrink."""
        return self._ledger.tight

    def take(self, wanted: int) -> int:
        """As many of the wanted bytes as are left."""
        taken = min(wanted, self.left)
        self.left -= taken
        return taken

    def give_back(self, amount: int) -> None:
        """Return what a stream no longer needs."""
        self.left += amount


class ReceiveWindow:
    """What the other side may still send on one stream.

    At any time `available` (granted and not yet used), what waits unread, and what was read
    since the last grant add up to `size`.
    """

    __slots__ = ("_granted_at", "_read", "available", "size")

    def __init__(self, now: float) -> None:
        self.size = INITIAL_WINDOW_BYTES
        self.available = INITIAL_WINDOW_BYTES
        self._read = 0
        self._granted_at = now

    def receive(self, length: int) -> None:
        """Account for a frame's payload; raises `MuxerViolation` at the first byte too many."""
        if length > self.available:
            raise MuxerViolation(f"{length} bytes sent into a window of {self.available}")
        self.available -= length

    def read(self, length: int) -> bool:
        """Account for bytes that the application took; whether a grant is due."""
        self._read += length
        return GRANTS_A_WINDOW * self._read >= self.size

    @property
    def grant_due(self) -> bool:
        """Whether a quarter of the window has been read since the last grant."""
        return GRANTS_A_WINDOW * self._read >= self.size

    def grant(self, now: float, round_trip: float, limit: int, budget: WindowBudget) -> int:
        """The credit to send; the window doubles if its quarter was read within two round trips.

        It shrinks instead, by granting less than was read, while the budget is tight.

        QUIC implementations and rust-yamux have a like rule: a window that lasts for little more
        than the path's delay is what holds the sender back.
        """
        credit = self._read
        path = max(round_trip, MIN_ROUND_TRIP_SECONDS)
        if budget.tight:
            credit -= self._shrink(credit, budget)
        elif now - self._granted_at < GROWING_ROUND_TRIPS * path:
            growth = budget.take(max(0, min(self.size, limit - self.size)))
            self.size += growth
            credit += growth
        self._read = 0
        self._granted_at = now
        self.available += credit
        return credit

    def _shrink(self, most: int, budget: WindowBudget) -> int:
        amount = min(most, self.size - INITIAL_WINDOW_BYTES)
        self.size -= amount
        budget.give_back(amount)
        return amount

    def release(self, budget: WindowBudget) -> None:
        """Give back what this window took from the budget; it grants nothing any more."""
        budget.give_back(self.size - INITIAL_WINDOW_BYTES)
        self.size = INITIAL_WINDOW_BYTES
