"""Messages of others, from their arrival until they are judged; no message is judged twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom import MalformedMessage

from ._actions import Arrival, Deliver, Judge, Priority, Verdict, Verify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from peerloom import PeerId

    from ._gossip import Gossip
    from ._mesh import Meshes
    from ._rpc import MessageId, WireMessage
    from ._signing import Author
    from ._state import RouterState


class Arrivals:
    """What waits to be verified and to be judged.

    An id says nothing until the signature is verified: who sends a forged copy first must not
    keep the true one away. So copies that differ in a byte wait for verification side by side.
    """

    def __init__(self, state: RouterState, meshes: Meshes, gossip: Gossip) -> None:
        self._state = state
        self._meshes = meshes
        self._gossip = gossip
        self._unverified: dict[bytes, Arrival] = {}
        self._unjudged: dict[MessageId, Arrival] = {}
        self.pending_bytes = 0

    @property
    def unjudged(self) -> Collection[MessageId]:
        """Ids of messages that are verified and not yet judged."""
        return self._unjudged.keys()

    def __len__(self) -> int:
        return len(self._unverified) + len(self._unjudged)

    def take(self, peer: PeerId, message: WireMessage, now: float) -> None:
        """A peer has brought a message of one of our topics."""
        state = self._state
        if message.source == bytes(state.local_peer):
            state.counts["message of our own"] += 1  # of an earlier life, perhaps: no offence
            return
        try:
            message_id = state.message_id(message)
        except MalformedMessage:
            state.counts["message without an id"] += 1
            state.scores.invalid_delivery(peer, message.topic)
            return
        if message_id in self._unjudged or message_id in state.seen:
            self._repeat(peer, message_id, message.topic, now)
        elif waiting := self._unverified.get(message.raw):
            state.counts["message repeated"] += 1
            self._also_brought(waiting, peer)
        else:
            self._begin(Arrival(message_id, message, [peer]))

    def dropped(self, arrival: Arrival) -> None:
        """Nobody has verified it: all who brought it are graylisted by now."""
        del self._unverified[arrival.message.raw]
        self._release(arrival)
        self._state.counts["message of a graylisted peer"] += 1

    def invalid(self, arrival: Arrival, cause: str) -> None:
        """Its signature is not as the policy wants it."""
        del self._unverified[arrival.message.raw]
        self._release(arrival)
        self._state.counts[f"message invalid: {cause}"] += 1
        for peer in arrival.bringers:
            self._state.scores.invalid_delivery(peer, arrival.message.topic)

    def verified(self, arrival: Arrival, author: Author, now: float) -> None:
        """Its signature is as the policy wants it, and this is its author."""
        state, message_id, topic = self._state, arrival.message_id, arrival.message.topic
        del self._unverified[arrival.message.raw]
        if message_id in self._unjudged or not state.seen.add(message_id, now):
            self._release(arrival)
            for peer in arrival.bringers:
                self._repeat(peer, message_id, topic, now)
            return
        state.promises.fulfil(message_id)
        arrival.author = author
        self._unjudged[message_id] = arrival
        mesh = self._meshes.of(topic)
        self._gossip.say_idontwant(
            message_id, len(arrival.message.data), mesh, but=arrival.bringers
        )
        state.outbox.add(Judge(arrival))

    def judged(self, arrival: Arrival, verdict: Verdict, now: float) -> None:
        """What the validators say of it."""
        state, message_id, topic = self._state, arrival.message_id, arrival.message.topic
        del self._unjudged[message_id]
        state.seen.add(message_id, now)  # the validator may have been slower than ids are kept
        self._release(arrival)
        state.counts[f"message {verdict.value}"] += 1
        if verdict is Verdict.REJECT:
            state.deliveries.reject(message_id, topic, arrival.bringers, now)
        if verdict is not Verdict.ACCEPT:
            return
        if first := state.peers.get(arrival.bringers[0]):
            first.brought_at = now
        state.deliveries.accept(message_id, topic, arrival.bringers, now)
        if topic not in self._meshes:
            state.counts["message of a topic left"] += 1
            return
        state.cache.put(message_id, arrival.message)
        state.outbox.send(self._next_hops(arrival), (arrival.message,), Priority.DATA)
        state.outbox.add(Deliver(arrival))

    def _begin(self, arrival: Arrival) -> None:
        self._unverified[arrival.message.raw] = arrival
        self.pending_bytes += _size(arrival)
        self._state.outbox.add(Verify(arrival))

    def _release(self, arrival: Arrival) -> None:
        self.pending_bytes -= _size(arrival)

    def _repeat(self, peer: PeerId, message_id: MessageId, topic: str, now: float) -> None:
        self._state.counts["message repeated"] += 1
        if waiting := self._unjudged.get(message_id):
            self._also_brought(waiting, peer)
        else:
            self._state.deliveries.repeat(message_id, topic, peer, now)

    def _also_brought(self, waiting: Arrival, peer: PeerId) -> None:
        if peer not in waiting.bringers:
            waiting.bringers.append(peer)

    def _next_hops(self, arrival: Arrival) -> Iterator[PeerId]:
        topic = arrival.message.topic
        explicit = [each for each in self._state.explicit if _is_member(self._state, each, topic)]
        source = arrival.author.source if arrival.author else None
        for peer in (*self._meshes.of(topic), *explicit):
            known = self._state.peers.get(peer)
            if peer in arrival.bringers or peer == source or known is None:
                continue
            if arrival.message_id in known.unwanted:
                self._state.counts["message not wanted"] += 1
                continue
            yield peer


def _size(arrival: Arrival) -> int:
    return len(arrival.message.raw)


def _is_member(state: RouterState, peer: PeerId, topic: str) -> bool:
    known = state.peers.get(peer)
    return known is not None and topic in known.topics
