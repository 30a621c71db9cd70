"""Messages of this node, and the peers of topics that it only publishes to (fanout).

Source: libp2p/specs, gossipsub v1.0 (fanout) and v1.1 (flood publishing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ._actions import Priority
from ._errors import NoPeersSubscribedToTopic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peerloom import PeerId

    from ._gossip import Gossip
    from ._mesh import Meshes
    from ._rpc import MessageId, WireMessage
    from ._state import RouterState


@frozen
class Publication:
    """A message that is on its way.

    Attributes:
        message_id: its id.
        peers: to whom it goes.
    """

    message_id: MessageId
    peers: tuple[PeerId, ...]


class Publishing:
    """Chooses who gets our own messages."""

    def __init__(self, state: RouterState, meshes: Meshes, gossip: Gossip) -> None:
        self._state = state
        self._meshes = meshes
        self._gossip = gossip
        self._published_at: dict[str, float] = {}
        self._fanout: dict[str, dict[PeerId, None]] = {}

    def publish(self, message: WireMessage, message_id: MessageId, now: float) -> Publication:
        """Send a new message; raises `NoPeersSubscribedToTopic`."""
        state = self._state
        chosen = dict.fromkeys(self._recipients(message.topic))
        if not chosen:
            members = state.peers.of_topic(message.topic)
            raise NoPeersSubscribedToTopic(message.topic, len(state.peers), len(members))
        if message.topic not in self._meshes:
            self._published_at[message.topic] = now
        state.seen.add(message_id, now)
        state.cache.put(message_id, message)
        peers = tuple(peer for peer in chosen if not self._has(peer, message_id))
        state.outbox.send(peers, (message,), Priority.DATA)
        return Publication(message_id, peers)

    def end_fanout(self, topic: str) -> Sequence[PeerId]:
        """The topic is subscribed to: gives the peers that it had as one only published to."""
        self._published_at.pop(topic, None)
        return tuple(self._fanout.pop(topic, ()))

    def remove(self, peer: PeerId, topic: str) -> None:
        """A peer has left a topic."""
        if fanout := self._fanout.get(topic):
            fanout.pop(peer, None)

    def heartbeat(self, now: float) -> None:
        """Forget topics not published to for long, fill up the others, and tell of messages."""
        until = now - self._state.config.fanout_seconds
        for topic in [topic for topic, at in self._published_at.items() if at <= until]:
            self.end_fanout(topic)
        for topic in self._fanout:
            self._gossip.emit(topic, self._fill(topic))

    def topics(self) -> Sequence[str]:
        """The topics that are only published to."""
        return tuple(self._published_at)

    def _recipients(self, topic: str) -> Iterator[PeerId]:
        members = self._state.peers.of_topic(topic)
        yield from (peer for peer in members if peer in self._state.explicit)
        if self._state.config.flood_publish:
            yield from filter(self._may_get, members)
        elif topic in self._meshes:
            mesh = self._meshes.of(topic)
            yield from mesh
            yield from self._more(topic, mesh)  # a mesh that is still small must lose nothing
        else:
            yield from self._fill(topic)

    def _fill(self, topic: str) -> Sequence[PeerId]:
        stay = [peer for peer in self._fanout.get(topic, ()) if self._may_get(peer)]
        stay += self._more(topic, stay)
        if stay or topic in self._fanout:
            self._fanout[topic] = dict.fromkeys(stay)
        return stay

    def _more(self, topic: str, chosen: Sequence[PeerId]) -> Sequence[PeerId]:
        others = [
            peer
            for peer in self._state.peers.of_topic(topic)
            if peer not in chosen and peer not in self._state.explicit and self._may_get(peer)
        ]
        return self._state.sample(others, self._state.config.degrees.wanted - len(chosen))

    def _may_get(self, peer: PeerId) -> bool:
        return self._state.score(peer) >= self._state.thresholds.publish

    def _has(self, peer: PeerId, message_id: MessageId) -> bool:
        known = self._state.peers.get(peer)
        return known is not None and message_id in known.unwanted
