"""Telling peers outside the mesh what there is, asking for it, and answering those who ask.

Source: libp2p/specs, gossipsub v1.1 (spam protection measures) and v1.2 (IDONTWANT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._actions import Priority, Version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from peerloom import PeerId

    from ._peers import PeerState
    from ._rpc import MessageId
    from ._state import RouterState

MAX_IHAVE_RPCS: Final = 10  # of a peer in a heartbeat; these four as go-libp2p-pubsub
MAX_ASKED_IDS: Final = 5000
RETRANSMISSIONS: Final = 3
PROMISE_SECONDS: Final = 3.0
MAX_ANSWERED_BYTES: Final = 16 * 1024 * 1024  # to a peer in a heartbeat
MAX_IHAVE_BYTES: Final = 120_000  # to a peer of a topic in a heartbeat: eight frames for rust
MAX_UNWANTED_IDS: Final = 4096  # of a peer at a time
UNWANTED_HEARTBEATS: Final = 3


class Gossip:
    """IHAVE, IWANT and IDONTWANT."""

    def __init__(self, state: RouterState) -> None:
        self._state = state

    def on_ihave(
        self, peer: PeerId, known: PeerState, offered: Iterable[MessageId], now: float
    ) -> None:
        """A peer has messages of our topics: ask for those that we have not seen."""
        state = self._state
        if state.score(peer) < state.thresholds.gossip:
            state.counts["ihave of a bad peer"] += 1
            return
        known.ihave_rpcs += 1
        if known.ihave_rpcs > MAX_IHAVE_RPCS:
            state.counts["ihave too often"] += 1
            return
        new = {each: None for each in offered if each not in state.seen}
        asked = state.chance.sample(list(new), min(len(new), MAX_ASKED_IDS - known.asked_ids))
        if len(asked) < len(new):
            state.counts["ihave of too many"] += 1
        if asked:
            known.asked_ids += len(asked)
            state.counts["message asked for"] += len(asked)
            state.promises.add(peer, asked[0], now + PROMISE_SECONDS)
            state.outbox.iwant(peer, asked)

    def on_iwant(self, peer: PeerId, known: PeerState, ids: Sequence[MessageId]) -> None:
        """A peer asks for messages."""
        state = self._state
        if state.score(peer) < state.thresholds.gossip:
            state.counts["iwant of a bad peer"] += 1
            return
        answer = []
        for message_id in dict.fromkeys(ids):
            if message_id in known.unwanted:
                continue
            if known.answered_bytes > MAX_ANSWERED_BYTES:
                state.counts["iwant of too much"] += 1
                break
            message = state.cache.get_for(peer, message_id, RETRANSMISSIONS)
            if message is None:
                state.counts["iwant in vain"] += 1
                continue
            known.answered_bytes += len(message.raw)
            state.counts["message given on request"] += 1
            answer.append(message)
        state.outbox.send((peer,), answer, Priority.GOSSIP)

    def on_idontwant(self, known: PeerState, ids: Sequence[MessageId]) -> None:
        """A peer has messages already: remember that for a few heartbeats."""
        until = self._state.heartbeat + UNWANTED_HEARTBEATS
        for message_id in ids:
            if len(known.unwanted) >= MAX_UNWANTED_IDS or known.unwanted_ids >= MAX_UNWANTED_IDS:
                self._state.counts["idontwant of too many"] += 1
                return
            known.unwanted_ids += 1
            known.unwanted[message_id] = until

    def say_idontwant(
        self, message_id: MessageId, size: int, mesh: Sequence[PeerId], but: Collection[PeerId]
    ) -> None:
        """A large message is here: the mesh need not send it again."""
        if size < self._state.config.idontwant_bytes:
            return
        for peer in mesh:
            known = self._state.peers.get(peer)
            if peer not in but and known is not None and known.version >= Version.V1_2:
                self._state.outbox.idontwant(peer, message_id)

    def emit(self, topic: str, served: Collection[PeerId]) -> None:
        """Tell peers of a topic that are not served anyway what there is."""
        state = self._state
        ids = state.cache.gossip_ids(topic)
        if not ids:
            return
        others = [
            peer
            for peer in state.peers.of_topic(topic)
            if peer not in served
            and peer not in state.explicit
            and state.score(peer) >= state.thresholds.gossip
        ]
        count = max(state.config.degrees.lazy, int(state.config.gossip_factor * len(others)))
        for peer in state.sample(others, count):
            self._tell(peer, topic, ids)

    def remind(self, peer: PeerId, topics: Iterable[str]) -> None:
        """A peer may have lost what was sent to it lately: tell it what there is."""
        if self._state.score(peer) < self._state.thresholds.gossip:
            return
        for topic in topics:
            if ids := self._state.cache.gossip_ids(topic):
                self._tell(peer, topic, ids)

    def _tell(self, peer: PeerId, topic: str, ids: list[MessageId]) -> None:
        room = min(MAX_ASKED_IDS, MAX_IHAVE_BYTES // (max(map(len, ids)) + 3))
        some = self._state.chance.sample(ids, min(room, len(ids)))
        self._state.outbox.ihave(peer, topic, some)
