"""The router: what happens goes in, what is to be done comes out. It has no clock and no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom import PeerId

from ._actions import Connect, PeerJoined, PeerLeft, Version
from ._arrivals import Arrivals
from ._encode import RPC_OVERHEAD_BYTES
from ._errors import Duplicate, MessageTooLarge
from ._gossip import Gossip
from ._mesh import EXCHANGED_PEERS, Meshes
from ._publishing import Publishing
from ._state import RouterState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ._actions import Action, Arrival, Verdict
    from ._config import GossipsubConfig
    from ._message_ids import MessageIdFunction
    from ._peers import PeerState
    from ._publishing import Publication
    from ._rpc import MessageId, Prune, Rpc, Subscription, WireMessage
    from ._selection import Chance
    from ._signing import Author

ANNOUNCE_AGAIN_SECONDS: Final = 30.0  # calimero-network: shorter, and two nodes never settle
EXPLICIT_HEARTBEATS: Final = 300  # as go-libp2p-pubsub and rust-libp2p
MAX_RECORD_BYTES: Final = 4096  # honest ones take some hundred
LATE_HEARTBEATS: Final = 3  # after such a pause of this node, nobody else is at fault


class Router:
    """Gossipsub, as a state machine.

    Call what happens, then `take` what is to be done, in that order. `now` never runs backwards.
    """

    def __init__(
        self,
        config: GossipsubConfig,
        local_peer: PeerId,
        chance: Chance,
        message_id: MessageIdFunction | None = None,
        scores: dict[PeerId, float] | None = None,
    ) -> None:
        """Route for `local_peer`; `message_id` stands in for the function that the config names.

        `scores` keeps what `set_peer_score` is told, also from routers before this one.
        """
        self._state = RouterState(config, local_peer, chance, message_id, scores)
        self._gossip = Gossip(self._state)
        self._meshes = Meshes(self._state)
        self._arrivals = Arrivals(self._state, self._meshes, self._gossip)
        self._publishing = Publishing(self._state, self._meshes, self._gossip)
        self._last_heartbeat: float | None = None

    def take(self) -> Sequence[Action]:
        """What is to be done since the last call."""
        return self._state.outbox.take()

    def connect(
        self, peer: PeerId, version: Version, *, is_outbound: bool, ips: Iterable[str] = ()
    ) -> None:
        """A peer that speaks gossipsub is connected, or connected anew: it hears our topics.

        `is_outbound` says whether this node has dialled it.
        """
        state = self._state
        state.peers.add(peer, version, is_outbound=is_outbound)
        state.scores.connect(peer, ips)
        if topics := tuple(self._meshes.sizes()):
            state.outbox.announce(peer, topics, subscribed=True)

    def seen_at(self, peer: PeerId, ips: Iterable[str]) -> None:
        """A connected peer is at these IPs now."""
        if peer in self._state.peers:
            self._state.scores.connect(peer, ips)

    def certified(self, peer: PeerId, record: bytes | None) -> None:
        """What a connected peer has signed about where it is, for those who may need it."""
        if known := self._state.peers.get(peer):
            known.record = record if record and len(record) <= MAX_RECORD_BYTES else None

    def remind(self, peer: PeerId) -> None:
        """The stream to a peer was broken: what was in it may be lost, on the other side as well.

        It hears what there is, also if it is in a mesh, where nobody else would tell it.
        """
        if known := self._state.peers.get(peer):
            self._gossip.remind(peer, known.topics)

    def disconnect(self, peer: PeerId, now: float) -> None:
        """A peer has gone."""
        state, known = self._state, self._state.peers.get(peer)
        if known is None:
            return
        for topic in list(known.topics):
            self._unsubscribe(peer, topic)
        state.promises.forget(peer)
        state.scores.disconnect(peer, now)
        state.peers.remove(peer)
        state.outbox.forget(peer)

    def receive(self, peer: PeerId, rpc: Rpc, now: float) -> None:
        """A peer has sent an RPC, or a part of one, that `hears` has let pass; then `answer`."""
        state, known = self._state, self._state.peers.get(peer)
        if known is None:
            return
        for cause, count in rpc.skipped.items():
            state.counts[f"{cause} left out"] += count
        if malformed := rpc.skipped.get("message malformed"):
            state.scores.offend(peer, malformed)
        for subscription in rpc.subscriptions:
            self._on_subscription(peer, known, subscription)
        for message in rpc.messages:
            self._on_message(peer, known, message, now)
        self._on_control(peer, known, rpc, now)

    def answer(self, peer: PeerId, subscriptions: Iterable[Subscription], now: float) -> None:
        """An RPC with these has been received whole, with what it may say against a GRAFT."""
        for subscription in subscriptions:
            self._meshes.subscribed(subscription.topic, peer, now)

    def hears(self, peer: PeerId) -> bool:
        """Whether what a peer sends is to be decoded; where it is not, that is counted."""
        state = self._state
        if peer not in state.peers:
            state.counts["rpc of a stranger"] += 1
            return False
        if self.is_graylisted(peer):
            state.counts["rpc of a graylisted peer"] += 1
            return False
        return True

    def offend(self, peer: PeerId, cause: str, count: float = 1) -> None:
        """A peer has misbehaved in a way that only the caller sees: bytes that are no RPC."""
        self._state.counts[cause] += 1
        self._state.scores.offend(peer, count)

    def is_unwanted(self, arrival: Arrival) -> bool:
        """Whether all who have brought a message are graylisted by now: drop it unverified."""
        return all(map(self.is_graylisted, arrival.bringers))

    def dropped(self, arrival: Arrival) -> None:
        """An answer to `Verify`: nobody has looked."""
        self._arrivals.dropped(arrival)

    def invalid(self, arrival: Arrival, cause: str) -> None:
        """An answer to `Verify`: the message is invalid."""
        self._arrivals.invalid(arrival, cause)

    def verified(self, arrival: Arrival, author: Author, now: float) -> None:
        """An answer to `Verify`: who published it."""
        self._arrivals.verified(arrival, author, now)

    def judged(self, arrival: Arrival, verdict: Verdict, now: float) -> None:
        """The answer to `Judge`."""
        self._arrivals.judged(arrival, verdict, now)

    def publish(self, message: WireMessage, now: float) -> Publication:
        """Send a message of this node.

        Raises `MessageTooLarge`, `Duplicate` and `NoPeersSubscribedToTopic`.
        """
        size, most = len(message.raw) + RPC_OVERHEAD_BYTES, self._state.config.max_message_bytes
        if size > most:
            raise MessageTooLarge(size, most)
        message_id = self._state.message_id(message)
        if message_id in self._state.seen or message_id in self._arrivals.unjudged:
            raise Duplicate(message_id)
        return self._publishing.publish(message, message_id, now)

    def subscribe(self, topic: str, now: float) -> bool:
        """Hear a topic; gives whether that is new."""
        if topic in self._meshes:
            return False
        for peer in self._state.peers:
            self._state.outbox.announce(peer, (topic,), subscribed=True)
        self._meshes.join(topic, self._publishing.end_fanout(topic), now)
        return True

    def unsubscribe(self, topic: str, now: float) -> bool:
        """Hear it no more; gives whether it was heard."""
        if topic not in self._meshes:
            return False
        self._meshes.leave(topic, now)
        for peer in self._state.peers:
            self._state.outbox.announce(peer, (topic,), subscribed=False)
        return True

    def heartbeat(self, now: float, *, is_behind: bool = False) -> None:
        """Maintain everything; call it every `heartbeat_seconds`.

        `is_behind` says that peers have waited for this node: what they owe may have been sent.
        """
        state = self._state
        state.heartbeat += 1
        self._punish_broken_promises(now, is_behind=is_behind)
        state.scores.refresh(now)
        state.backoffs.expire(now)
        state.seen.expire(now)
        state.deliveries.expire(now)
        for known in state.peers.states():
            known.begin_heartbeat(state.heartbeat)
        for topic in self._meshes.sizes():
            self._meshes.maintain(topic, now)
            self._gossip.emit(topic, self._meshes.of(topic))
        self._publishing.heartbeat(now)
        state.cache.shift()
        if state.heartbeat % EXPLICIT_HEARTBEATS == 1:
            for peer in state.explicit:
                if peer not in state.peers:
                    state.outbox.add(Connect(peer))

    def topics_of(self, peer: PeerId) -> Sequence[str]:
        """The topics to which a peer is subscribed."""
        known = self._state.peers.get(peer)
        return tuple(known.topics) if known else ()

    def forget_subscriptions(self, peer: PeerId, topics: Iterable[str]) -> None:
        """A peer was subscribed to these in an earlier life."""
        for topic in topics:
            if topic in self.topics_of(peer):
                self._state.counts["subscription of an earlier life"] += 1
                self._unsubscribe(peer, topic)

    def set_peer_score(self, peer: PeerId, score: float) -> None:
        """What the application thinks of a peer; 0 for nothing."""
        self._state.scores.set_application_score(peer, score)

    def peer_scores(self) -> Mapping[PeerId, float]:
        """The score of each connected peer."""
        return {peer: self._state.score(peer) for peer in self._state.peers}

    def is_graylisted(self, peer: PeerId) -> bool:
        """Whether nothing of what a peer sends is looked at."""
        state = self._state
        return peer not in state.explicit and state.score(peer) < state.thresholds.graylist

    def peer_score(self, peer: PeerId) -> float:
        """What this node thinks of a peer."""
        return self._state.score(peer)

    def mesh_peers(self, topic: str) -> Sequence[PeerId]:
        """The peers of a topic's mesh."""
        return self._meshes.of(topic)

    def subscribed_peers(self, topic: str) -> Sequence[PeerId]:
        """The connected peers that are subscribed to a topic."""
        return self._state.peers.of_topic(topic)

    def published_topics(self) -> Sequence[str]:
        """Topics published to within `fanout_seconds` that are not subscribed to."""
        return self._publishing.topics()

    def bringers(self, now: float) -> Sequence[PeerId]:
        """Connected peers that have brought a message within `fanout_seconds`."""
        since, peers = now - self._state.config.fanout_seconds, self._state.peers
        return tuple(
            peer for peer in peers if (known := peers.get(peer)) and known.brought_at >= since
        )

    def peers(self) -> Sequence[PeerId]:
        """Connected peers that speak gossipsub."""
        return tuple(self._state.peers)

    def mesh_sizes(self) -> Mapping[str, int]:
        """How many peers the mesh of each of our topics has."""
        return self._meshes.sizes()

    def counts(self) -> Mapping[str, int]:
        """What was ignored, refused, dropped, left out or asked for: how often, by cause."""
        state = self._state
        early = {
            "seen message forgotten early": state.seen.forgotten_early,
            "cached message given up early": state.cache.given_up_early,
        }
        return state.counts | {cause: count for cause, count in early.items() if count}

    @property
    def pending_bytes(self) -> int:
        """Messages that wait to be verified and judged; past the config's bound, read no more."""
        return self._arrivals.pending_bytes

    @property
    def pending_messages(self) -> int:
        """How many these are."""
        return len(self._arrivals)

    def _on_subscription(self, peer: PeerId, known: PeerState, subscription: Subscription) -> None:
        topic = subscription.topic
        if subscription.subscribed == (topic in known.topics):
            return
        known.subscription_changes += 1
        bound = self._state.config.max_topics_per_peer
        if known.subscription_changes > 2 * bound:
            self._state.counts["subscription changes too many"] += 1
            return
        if not subscription.subscribed:
            self._unsubscribe(peer, topic)
        elif topic in self._meshes or len(known.topics) < bound:
            self._subscribe(peer, topic)
        else:
            self._state.counts["subscriptions of a peer too many"] += 1

    def _subscribe(self, peer: PeerId, topic: str) -> None:
        self._state.peers.subscribe(peer, topic)
        self._state.outbox.add(PeerJoined(peer, topic))

    def _unsubscribe(self, peer: PeerId, topic: str) -> None:
        self._meshes.remove(topic, peer)
        self._publishing.remove(peer, topic)
        self._state.peers.unsubscribe(peer, topic)
        self._state.outbox.add(PeerLeft(peer, topic))

    def _on_message(self, peer: PeerId, known: PeerState, message: WireMessage, now: float) -> None:
        if message.topic not in self._meshes:
            self._state.counts["message of another topic"] += 1
            return
        if message.topic not in known.topics:
            self._announce_again(peer, known, now, is_own=message.source == bytes(peer))
        self._arrivals.take(peer, message, now)

    def _announce_again(self, peer: PeerId, known: PeerState, now: float, *, is_own: bool) -> None:
        # Who serves us a topic and has never told us of it has taken us for an earlier life of
        # ours, and told that one (calimero-network; rust-libp2p announces once a connection).
        # Perhaps it only publishes: who brings nothing but its own messages is told once.
        last = known.announced_again_at
        if last is not None and (is_own or now < last + ANNOUNCE_AGAIN_SECONDS):
            return
        known.announced_again_at = now
        self._state.counts["subscriptions announced again"] += 1
        topics = [topic for topic in self._meshes.sizes() if topic not in known.topics]
        self._state.outbox.announce_again(peer, topics)

    def _on_control(self, peer: PeerId, known: PeerState, rpc: Rpc, now: float) -> None:
        for topic in dict.fromkeys(rpc.graft):
            self._on_graft(peer, known, topic, now)
        for prune in {prune.topic: prune for prune in rpc.prune}.values():
            self._on_prune(peer, prune, now)
        if rpc.ihave:
            self._gossip.on_ihave(peer, known, self._offered(rpc), now)
        if rpc.idontwant:
            self._gossip.on_idontwant(known, rpc.idontwant)
        if rpc.iwant:
            self._gossip.on_iwant(peer, known, rpc.iwant)

    def _offered(self, rpc: Rpc) -> Iterator[MessageId]:
        unjudged = self._arrivals.unjudged
        for ihave in rpc.ihave:
            if ihave.topic in self._meshes:
                yield from (each for each in ihave.ids if each not in unjudged)

    def _on_graft(self, peer: PeerId, known: PeerState, topic: str, now: float) -> None:
        if topic not in self._meshes:
            self._state.counts["graft of another topic"] += 1  # and no answer: that would be spam
            return
        if topic not in known.topics:
            self._subscribe(peer, topic)  # nobody grafts without being subscribed
        self._meshes.on_graft(topic, peer, now)

    def _on_prune(self, peer: PeerId, prune: Prune, now: float) -> None:
        state = self._state
        if prune.topic not in self._meshes:
            state.counts["prune of another topic"] += 1
            return
        self._meshes.on_prune(prune.topic, peer, prune.backoff_seconds, now)
        if not prune.peers or not state.config.peer_exchange:
            return
        if state.score(peer) < state.thresholds.accept_px:
            state.counts["peers suggested by a stranger"] += 1
            return
        self._accept_suggestions(prune)

    def _accept_suggestions(self, prune: Prune) -> None:
        for suggested in prune.peers[:EXCHANGED_PEERS]:
            try:
                peer = PeerId(suggested.peer)
            except ValueError:
                continue
            if peer not in self._state.peers and peer != self._state.local_peer:
                self._state.outbox.add(Connect(peer, suggested.record))

    def _punish_broken_promises(self, now: float, *, is_behind: bool) -> None:
        state, last = self._state, self._last_heartbeat
        self._last_heartbeat = now
        broken = state.promises.take_broken(now)
        if last is not None and now - last > LATE_HEARTBEATS * state.config.heartbeat_seconds:
            is_behind = True
        if is_behind:
            return
        for peer, count in broken.items():
            state.counts["promise broken"] += count
            state.scores.offend(peer, count)
