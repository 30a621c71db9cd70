"""Connection limits: how many links may be under way and established."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ._errors import ConnectionLimitReached

if TYPE_CHECKING:
    from peerloom._config import Limits
    from peerloom._peer_id import PeerId


class ConnectionLimits:
    """Counts connections against the configured limits; pure.

    Attributes:
        pending_in: inbound links that are being upgraded.
        pending_out: dials under way.
        refused: what was refused, by the limit that did it.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._per_peer: Counter[PeerId] = Counter()
        self._total = 0
        self.pending_in = 0
        self.pending_out = 0
        self.refused: Counter[str] = Counter()

    @property
    def pending_in_full(self) -> bool:
        """Whether as many links are being upgraded as may be."""
        return self.pending_in >= self._limits.pending_in

    def check_pending_in(self) -> None:
        """Raises `ConnectionLimitReached` if no more links can be accepted now."""
        self._check("pending_in", self.pending_in, self._limits.pending_in)
        self._check("total", self._total, self._limits.total)

    def check_pending_out(self) -> None:
        """Raises `ConnectionLimitReached` if no more dials can be made now."""
        self._check("pending_out", self.pending_out, self._limits.pending_out)

    def establish(self, peer: PeerId) -> int:
        """Count a connection; gives how many there are to the peer, this one included.

        Raises `ConnectionLimitReached`.
        """
        self._check("per_peer", self._per_peer[peer], self._limits.per_peer)
        self._check("total", self._total, self._limits.total)
        self._per_peer[peer] += 1
        self._total += 1
        return self._per_peer[peer]

    def close(self, peer: PeerId) -> int:
        """Count a connection's end; gives how many remain to the peer."""
        self._total -= 1
        self._per_peer[peer] -= 1
        remaining = self._per_peer[peer]
        if not remaining:
            del self._per_peer[peer]
        return remaining

    def _check(self, name: str, count: int, bound: int) -> None:
        if count >= bound:
            self.refused[name] += 1
            raise ConnectionLimitReached(f"{count} connections; limits.{name} is {bound}")
