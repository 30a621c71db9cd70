"""Which peers are connected, and what this node knows of each: all of it bounded."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from attrs import Factory, define

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom import PeerId

    from ._actions import Version
    from ._rpc import MessageId


@define(eq=False)
class PeerState:
    """One connected peer.

    Attributes:
        version: what it speaks.
        is_outbound: whether this node has dialled it.
        topics: to which it is subscribed.
        unwanted: messages that it has asked us not to send, with the heartbeat until which.
        record: its signed peer record, which says where it can be reached.
        announced_again_at: when our subscriptions were last repeated to it.
        brought_at: when it was the first to bring a message last.
        subscription_changes: since the last heartbeat, as the following.
        ihave_rpcs: RPCs with IHAVE that it has sent.
        asked_ids: messages that we have asked it for.
        answered_bytes: messages that it has got from us by IWANT.
        unwanted_ids: messages that it has asked us not to send.
    """

    version: Version
    is_outbound: bool
    topics: dict[str, None] = Factory(dict)
    unwanted: dict[MessageId, int] = Factory(dict)
    record: bytes | None = None
    announced_again_at: float | None = None
    brought_at: float = -inf
    subscription_changes: int = 0
    ihave_rpcs: int = 0
    asked_ids: int = 0
    answered_bytes: int = 0
    unwanted_ids: int = 0

    def begin_heartbeat(self, number: int) -> None:
        """Count anew, and forget what it has not wanted for long enough."""
        self.subscription_changes = self.ihave_rpcs = self.asked_ids = 0
        self.answered_bytes = self.unwanted_ids = 0
        if self.unwanted:
            self.unwanted = {each: until for each, until in self.unwanted.items() if until > number}


class PeerTable:
    """Connected peers, and by topic those that are subscribed to it, each in a fixed order."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, PeerState] = {}
        self._by_topic: dict[str, dict[PeerId, None]] = {}

    def add(self, peer: PeerId, version: Version, *, is_outbound: bool) -> None:
        """A peer is connected, or anew: then what else is known of it stays."""
        known = self._peers.setdefault(peer, PeerState(version, is_outbound))
        known.version, known.is_outbound = version, is_outbound

    def remove(self, peer: PeerId) -> None:
        """A peer has gone."""
        for topic in list(self._peers[peer].topics):
            self.unsubscribe(peer, topic)
        del self._peers[peer]

    def get(self, peer: PeerId) -> PeerState | None:
        """What is known of a peer, or None."""
        return self._peers.get(peer)

    def subscribe(self, peer: PeerId, topic: str) -> None:
        """A peer is subscribed to a topic."""
        self._peers[peer].topics[topic] = None
        self._by_topic.setdefault(topic, {})[peer] = None

    def unsubscribe(self, peer: PeerId, topic: str) -> None:
        """It is not any more."""
        del self._peers[peer].topics[topic]
        members = self._by_topic[topic]
        del members[peer]
        if not members:
            del self._by_topic[topic]

    def of_topic(self, topic: str) -> tuple[PeerId, ...]:
        """The peers that are subscribed to a topic."""
        return tuple(self._by_topic.get(topic, ()))

    def states(self) -> Iterator[PeerState]:
        """What is known of each."""
        return iter(self._peers.values())

    def __iter__(self) -> Iterator[PeerId]:
        return iter(tuple(self._peers))

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._peers

    def __len__(self) -> int:
        return len(self._peers)
