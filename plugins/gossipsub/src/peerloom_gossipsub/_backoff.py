"""How long a peer and this node keep out of each other's mesh after a PRUNE.

Source: libp2p/specs, gossipsub v1.1, PRUNE backoff.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from peerloom import PeerId

MAX_BACKOFF_SECONDS: Final = 3600.0  # a peer may ask for 2**64 - 1 (CVE-2026-33040)
MAX_BACKOFFS: Final = 65_536  # all peers and topics; the one begun first goes


class Backoffs:
    """Until when which peer is kept out of the mesh of which topic."""

    def __init__(self, slack_seconds: float, max_entries: int = MAX_BACKOFFS) -> None:
        """Wait `slack_seconds` longer before grafting, as the other side may count later."""
        self._slack = slack_seconds
        self._max_entries = max_entries
        self._until: dict[tuple[str, PeerId], float] = {}

    def start(self, topic: str, peer: PeerId, seconds: float, now: float) -> None:
        """Keep the peer out for so long, at most an hour; a backoff never gets shorter."""
        until = now + min(max(seconds, 0.0), MAX_BACKOFF_SECONDS)
        key = (topic, peer)
        if until <= self._until.get(key, now):
            return
        self._until.pop(key, None)  # what is renewed goes to the end
        self._until[key] = until
        if len(self._until) > self._max_entries:
            del self._until[next(iter(self._until))]

    def ends_at(self, topic: str, peer: PeerId, now: float) -> float | None:
        """Until when the peer must not graft us, or None if it may now."""
        until = self._until.get((topic, peer))
        return until if until is not None and until > now else None

    def may_graft(self, topic: str, peer: PeerId, now: float) -> bool:
        """Whether this node may graft the peer."""
        until = self._until.get((topic, peer))
        return until is None or until + self._slack <= now

    def expire(self, now: float) -> None:
        """Forget the backoffs that have ended, slack included."""
        ended = [key for key, until in self._until.items() if until + self._slack <= now]
        for key in ended:
            del self._until[key]

    def __len__(self) -> int:
        return len(self._until)
