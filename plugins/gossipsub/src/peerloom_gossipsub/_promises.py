"""Who announced a message and owes it to us since we asked for it.

Source: libp2p/specs, gossipsub v1.1, spam protection measures.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerloom import PeerId

    from ._rpc import MessageId

MAX_PER_PEER: Final = 64  # one for each IHAVE that was answered within the last seconds


class Promises:
    """One message for each IWANT: the sample by which a peer is judged."""

    def __init__(self) -> None:
        self._by_id: dict[MessageId, dict[PeerId, float]] = {}
        self._by_peer: dict[PeerId, set[MessageId]] = {}

    def add(self, peer: PeerId, message_id: MessageId, until: float) -> None:
        """The peer owes this message; the first promise of the same message counts."""
        owed = self._by_peer.setdefault(peer, set())
        if message_id in owed or len(owed) >= MAX_PER_PEER:
            return
        owed.add(message_id)
        self._by_id.setdefault(message_id, {})[peer] = until

    def fulfil(self, message_id: MessageId) -> None:
        """The message is here: nobody owes it any more, whoever sent it."""
        for peer in self._by_id.pop(message_id, ()):
            self._drop(peer, message_id)

    def take_broken(self, now: float) -> Mapping[PeerId, int]:
        """How many promises each peer has broken since the last call."""
        broken = [
            (peer, message_id)
            for message_id, promised in self._by_id.items()
            for peer, until in promised.items()
            if until <= now
        ]
        for peer, message_id in broken:
            self._release(peer, message_id)
        return Counter(peer for peer, _ in broken)

    def forget(self, peer: PeerId) -> None:
        """The peer has gone: it cannot keep its promises."""
        for message_id in list(self._by_peer.get(peer, ())):
            self._release(peer, message_id)

    def __len__(self) -> int:
        return sum(len(owed) for owed in self._by_peer.values())

    def _release(self, peer: PeerId, message_id: MessageId) -> None:
        promised = self._by_id[message_id]
        del promised[peer]
        if not promised:
            del self._by_id[message_id]
        self._drop(peer, message_id)

    def _drop(self, peer: PeerId, message_id: MessageId) -> None:
        owed = self._by_peer[peer]
        owed.remove(message_id)
        if not owed:
            del self._by_peer[peer]
