"""The meshes: for each topic the few peers that get every message from this node.

Source: libp2p/specs, gossipsub v1.0 and v1.1.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Final

from ._actions import Version
from ._rpc import ExchangedPeer, Prune
from ._selection import survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from peerloom import PeerId

    from ._state import RouterState

OPPORTUNISTIC_HEARTBEATS: Final = 60  # these five as go-libp2p-pubsub and rust-libp2p
OPPORTUNISTIC_PEERS: Final = 2
GRAFT_FLOOD_SECONDS: Final = 10.0
EARLY_SECONDS: Final = 1.0  # a PRUNE tells whole seconds; py-libp2p counts from the last one
EXCHANGED_PEERS: Final = 16


class Meshes:
    """The meshes of this node's topics, and what it says to keep them."""

    def __init__(self, state: RouterState) -> None:
        self._state = state
        self._degrees = state.config.degrees
        self._meshes: dict[str, dict[PeerId, None]] = {}

    def join(self, topic: str, preferred: Iterable[PeerId], now: float) -> None:
        """Begin a mesh, with these peers first."""
        self._meshes[topic] = {}
        for peer in preferred:
            if len(self._meshes[topic]) < self._degrees.wanted and self._fits(topic, peer, now):
                self._graft(topic, peer, now)
        self._fill(topic, self._degrees.wanted, now)

    def leave(self, topic: str, now: float) -> None:
        """End a mesh; its peers are told when this node may come back."""
        for peer in list(self._meshes[topic]):
            self._prune(topic, peer, now, self._state.config.unsubscribe_backoff_seconds)
        del self._meshes[topic]

    def of(self, topic: str) -> Sequence[PeerId]:
        """The peers of a topic's mesh."""
        return tuple(self._meshes.get(topic, ()))

    def sizes(self) -> Mapping[str, int]:
        """How many peers each mesh has."""
        return {topic: len(mesh) for topic, mesh in self._meshes.items()}

    def __contains__(self, topic: str) -> bool:
        return topic in self._meshes

    def subscribed(self, topic: str, peer: PeerId, now: float) -> None:
        """A peer has spoken of a topic: if it is subscribed and our mesh is small, graft it."""
        mesh, known = self._meshes.get(topic), self._state.peers.get(peer)
        if mesh is None or known is None or topic not in known.topics:
            return
        if len(mesh) < self._degrees.low and self._fits(topic, peer, now):
            self._graft(topic, peer, now)

    def remove(self, topic: str, peer: PeerId) -> None:
        """A peer is not in the mesh any more, and knows it."""
        mesh = self._meshes.get(topic)
        if mesh is not None and peer in mesh:
            del mesh[peer]
            self._state.scores.prune(peer, topic)

    def on_graft(self, topic: str, peer: PeerId, now: float) -> None:
        """A peer has taken us into its mesh: do the same, or refuse."""
        if peer in self._meshes[topic]:
            return
        cause = self._refusal(topic, peer, now)
        if cause is None:
            self._meshes[topic][peer] = None
            self._state.scores.graft(peer, topic, now)
            return
        self._state.counts[f"graft {cause}"] += 1
        backoff = self._state.config.prune_backoff_seconds
        self._state.backoffs.start(topic, peer, backoff, now)
        self._say_prune(topic, peer, backoff, suggest=cause == "while full")

    def on_prune(self, topic: str, peer: PeerId, asked_seconds: int | None, now: float) -> None:
        """A peer has taken us out of its mesh, and we may not come back for a while."""
        self.remove(topic, peer)
        seconds: float = asked_seconds or self._default_backoff(topic, peer)
        self._state.backoffs.start(topic, peer, seconds, now)

    def maintain(self, topic: str, now: float) -> None:
        """What each heartbeat does for a mesh."""
        mesh, state, degrees = self._meshes[topic], self._state, self._degrees
        backoff = state.config.prune_backoff_seconds
        for peer in [each for each in mesh if state.score(each) < 0]:
            self._prune(topic, peer, now, backoff)
        if len(mesh) < degrees.low:
            self._fill(topic, degrees.wanted, now)
        dialled = sum(map(self._is_outbound, mesh))
        if len(mesh) >= degrees.low and dialled < degrees.out:
            self._graft_some(topic, degrees.out - dialled, now, self._is_outbound)
        if len(mesh) > degrees.high:
            kept = set(survivors(mesh, degrees, state.chance, state.score, self._is_outbound))
            for peer in [each for each in mesh if each not in kept]:
                self._prune(topic, peer, now, backoff, suggest=True)
        if state.heartbeat % OPPORTUNISTIC_HEARTBEATS == 0 and len(mesh) > 1:
            self._improve(topic, now)

    def _improve(self, topic: str, now: float) -> None:
        mesh, state = self._meshes[topic], self._state
        middle = median(map(state.score, mesh))
        if middle < state.thresholds.opportunistic_graft:
            room = min(OPPORTUNISTIC_PEERS, self._degrees.high - len(mesh))
            self._graft_some(topic, room, now, lambda peer: state.score(peer) > middle)

    def _fill(self, topic: str, wanted: int, now: float) -> None:
        self._graft_some(topic, wanted - len(self._meshes[topic]), now, lambda _: True)

    def _graft_some(
        self, topic: str, count: int, now: float, suits: Callable[[PeerId], bool]
    ) -> None:
        fitting = [
            peer
            for peer in self._state.peers.of_topic(topic)
            if self._fits(topic, peer, now) and suits(peer)
        ]
        for peer in self._state.sample(fitting, count):
            self._graft(topic, peer, now)

    def _fits(self, topic: str, peer: PeerId, now: float) -> bool:
        state = self._state
        return (
            peer not in self._meshes[topic]
            and peer not in state.explicit
            and state.backoffs.may_graft(topic, peer, now)
            and state.score(peer) >= 0
        )

    def _graft(self, topic: str, peer: PeerId, now: float) -> None:
        self._meshes[topic][peer] = None
        self._state.scores.graft(peer, topic, now)
        self._state.outbox.graft(peer, topic)

    def _prune(
        self, topic: str, peer: PeerId, now: float, seconds: float, *, suggest: bool = False
    ) -> None:
        self.remove(topic, peer)
        self._state.backoffs.start(topic, peer, seconds, now)
        self._say_prune(topic, peer, seconds, suggest=suggest)

    def _refusal(self, topic: str, peer: PeerId, now: float) -> str | None:
        state = self._state
        if peer in state.explicit:
            return "of an explicit peer"
        ends_at = state.backoffs.ends_at(topic, peer, now)
        if ends_at is not None and now < ends_at - EARLY_SECONDS:
            began_at = ends_at - state.config.prune_backoff_seconds
            state.scores.offend(peer, 2 if now < began_at + GRAFT_FLOOD_SECONDS else 1)
            return "within backoff"
        if state.score(peer) < 0:
            return "with a bad score"
        if len(self._meshes[topic]) >= self._degrees.high and not self._is_outbound(peer):
            return "while full"
        return None

    def _say_prune(self, topic: str, peer: PeerId, seconds: float, *, suggest: bool) -> None:
        known = self._state.peers.get(peer)
        if known is None or known.version < Version.V1_1:
            self._state.outbox.prune(peer, Prune(topic))
            return
        suggested = self._suggestions(topic, peer) if suggest else ()
        self._state.outbox.prune(peer, Prune(topic, math.ceil(seconds), suggested))

    def _suggestions(self, topic: str, peer: PeerId) -> Sequence[ExchangedPeer]:
        state = self._state
        if not state.config.peer_exchange or state.score(peer) < 0:
            return ()
        good = [
            each for each in state.peers.of_topic(topic) if each != peer and state.score(each) >= 0
        ]
        return [self._suggestion(each) for each in state.sample(good, EXCHANGED_PEERS)]

    def _suggestion(self, peer: PeerId) -> ExchangedPeer:
        known = self._state.peers.get(peer)
        return ExchangedPeer(bytes(peer), known.record if known else None)

    def _default_backoff(self, topic: str, peer: PeerId) -> float:
        # A PRUNE without a time comes from v1.0, which says as much when it only leaves the topic.
        known = self._state.peers.get(peer)
        if known is not None and topic not in known.topics:
            return self._state.config.unsubscribe_backoff_seconds
        return self._state.config.prune_backoff_seconds

    def _is_outbound(self, peer: PeerId) -> bool:
        known = self._state.peers.get(peer)
        return known is not None and known.is_outbound
