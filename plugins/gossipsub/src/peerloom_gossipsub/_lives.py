"""Lives: a peer that has restarted comes back under its id while its old connection still stands.

What it was subscribed to before holds until it has told anew, and the old connection has ended.
Unless that one still speaks: rust-libp2p sends over whichever of its connections is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from peerloom import PeerId


class Lives:
    """Over which connections peers have told what they are subscribed to."""

    def __init__(self) -> None:
        self._told_over: dict[PeerId, set[int]] = {}
        self._doubted: dict[PeerId, set[str]] = {}

    def told(
        self, peer: PeerId, connection_id: int, known: Iterable[str], told: Iterable[str]
    ) -> None:
        """A peer tells of some topics; `known` are those that it has told of before.

        The first word over a newer connection names them all: others are of an earlier life, if it
        was one.
        """
        over = self._told_over.setdefault(peer, set())
        if over and connection_id > max(over):
            self._doubted[peer] = set(known)
        over.add(connection_id)
        if doubted := self._doubted.get(peer):
            doubted.difference_update(told)

    def heard(self, peer: PeerId, connection_id: int) -> None:
        """Something has come over a connection: if it is the older one, there is but one life."""
        if peer in self._doubted and connection_id < max(self._told_over[peer]):
            del self._doubted[peer]

    def ended(self, peer: PeerId, connection_id: int) -> Collection[str]:
        """A connection has ended, but not the last one; gives the topics that were of it alone."""
        over = self._told_over.get(peer, set())
        if connection_id not in over:
            return ()
        is_newest = connection_id == max(over)
        over.remove(connection_id)
        doubted = self._doubted.pop(peer, ())
        return () if is_newest else doubted  # what is left then is the life that had told them

    def gone(self, peer: PeerId) -> None:
        """Its last connection has ended."""
        self._told_over.pop(peer, None)
        self._doubted.pop(peer, None)
