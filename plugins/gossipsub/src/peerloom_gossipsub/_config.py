"""Settings of the section ``gossipsub``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from peerloom import ConfigError, PeerId
from peerloom.plugin import whole_at_least

from ._message_ids import MESSAGE_IDS, NEEDS_NO_AUTHOR, by_content_without_number
from ._score_params import ScoreParams, between
from ._signing import SigningPolicy

if TYPE_CHECKING:
    from ._message_ids import MessageIdFunction

_MIB: Final = 1024 * 1024
_COUNT = whole_at_least(0)
_SOME = whole_at_least(1)
_SECONDS = between(0.0, 86_400.0)


@frozen
class Degrees:
    """How many peers a mesh has.

    Attributes:
        wanted: how many a mesh that is filled or cut gets (D).
        low: with fewer it is filled (D_lo).
        high: with more it is cut (D_hi).
        score: when it is cut, so many of the best stay (D_score).
        out: so many were dialled by this node, not by them (D_out).
        lazy: so many peers outside the mesh are told of new messages, or more (D_lazy).
    """

    wanted: int = field(default=6, validator=_COUNT)
    low: int = field(default=5, validator=_COUNT)
    high: int = field(default=12, validator=_COUNT)
    score: int = field(default=4, validator=_COUNT)
    out: int = field(default=2, validator=_COUNT)
    lazy: int = field(default=6, validator=_COUNT)

    def __attrs_post_init__(self) -> None:
        if not self.low <= self.wanted <= self.high:
            raise ConfigError(
                "degrees must be in this order: low <= wanted <= high, not "
                f"{self.low}, {self.wanted}, {self.high}"
            )
        if self.score > self.wanted or self.out > self.wanted // 2 or self.out > self.low:
            raise ConfigError(
                "the degrees score and out must leave room for others: score <= wanted, "
                f"out <= wanted / 2 and out <= low, not {self.score} and {self.out}"
            )


@frozen
class GossipsubConfig:
    """How messages travel.

    Attributes:
        signing: strict-sign, strict-no-sign, lax-sign or lax-no-sign.
        message_id: how messages are told apart: go, js, rust or data-hash. All peers of a topic
            must do it alike.
        degrees: how many peers a mesh has.
        score: how peers are scored.
        explicit_peers: peers to which every message is sent, outside of meshes and scores; they
            must list this node as well.
        heartbeat_seconds: time between two rounds of maintenance.
        flood_publish: send own messages to all subscribed peers, not to the mesh alone.
        peer_exchange: suggest other peers to those who are put out of a full mesh.
        gossip_factor: the part of the peers outside the mesh that is told of new messages.
        history_heartbeats: how long messages are kept for those who ask for them.
        gossip_heartbeats: how long they are announced.
        cache_bytes: what these messages may take.
        seen_seconds: how long a message is known to have been seen.
        max_seen: how many such messages are remembered.
        fanout_seconds: how long peers of topics only published to are remembered.
        prune_backoff_seconds: how long a peer that is put out of a mesh must stay away.
        unsubscribe_backoff_seconds: the same when this node leaves the topic.
        idontwant_bytes: from this size on, peers are told at once not to send a message again.
        max_message_bytes: the largest message, with all that belongs to it.
        max_held_peers: peers whose connections are kept open because they share a topic, are
            published to, bring messages or may still subscribe; all of meshes and all explicit
            ones are.
        max_topics_per_peer: topics of which this node remembers that a peer is subscribed.
        max_pending_bytes: messages that wait to be verified and judged; peers wait while it is
            more.
        max_pending_messages: how many these may be.
        max_rpc_bytes: the largest RPC that is read; js-libp2p sends up to 2 MiB.
        max_queue_bytes: what may wait to be sent to one peer, beside what it has asked for.
        slow_peer_seconds: how long a full queue is waited for, then that peer is left out.
        validation_seconds: how long a validator may take.
        slow_subscriber_seconds: how long messages wait for a subscriber of the application that
            does not read; peers wait with them once `max_pending_bytes` is reached.
    """

    signing: SigningPolicy = field(default=SigningPolicy.STRICT_SIGN, converter=SigningPolicy)
    message_id: str = "go"
    degrees: Degrees = field(factory=Degrees)
    score: ScoreParams = field(factory=ScoreParams)
    explicit_peers: tuple[PeerId, ...] = field(default=(), converter=tuple[PeerId, ...])
    heartbeat_seconds: float = field(default=1.0, validator=between(0.05, 3600.0))
    flood_publish: bool = True
    peer_exchange: bool = False
    gossip_factor: float = field(default=0.25, validator=between(0.0, 1.0))
    history_heartbeats: int = field(default=5, validator=_COUNT)
    gossip_heartbeats: int = field(default=3, validator=_COUNT)
    cache_bytes: int = field(default=64 * _MIB, validator=_COUNT)
    seen_seconds: float = field(default=120.0, validator=_SECONDS)
    max_seen: int = field(default=500_000, validator=_SOME)
    fanout_seconds: float = field(default=60.0, validator=_SECONDS)
    prune_backoff_seconds: float = field(default=60.0, validator=_SECONDS)
    unsubscribe_backoff_seconds: float = field(default=1.0, validator=_SECONDS)
    idontwant_bytes: int = field(default=1024, validator=_COUNT)
    max_message_bytes: int = field(default=_MIB, validator=_SOME)
    max_held_peers: int = field(default=64, validator=_COUNT)
    max_topics_per_peer: int = field(default=1024, validator=_SOME)
    max_pending_bytes: int = field(default=16 * _MIB, validator=_SOME)
    max_pending_messages: int = field(default=8192, validator=_SOME)
    max_rpc_bytes: int = field(default=4 * _MIB, validator=_SOME)
    max_queue_bytes: int = field(default=8 * _MIB, validator=_SOME)
    slow_peer_seconds: float = field(default=5.0, validator=_SECONDS)
    validation_seconds: float = field(default=5.0, validator=_SECONDS)
    slow_subscriber_seconds: float = field(default=5.0, validator=_SECONDS)

    def message_id_function(self) -> MessageIdFunction:
        """How messages are told apart, those without an author as well where they are let pass."""
        function = MESSAGE_IDS[self.message_id]
        return by_content_without_number(function) if self.signing.is_lax else function

    def __attrs_post_init__(self) -> None:
        if self.message_id not in MESSAGE_IDS:
            raise ConfigError(
                f"message_id: {self.message_id} is not known; choose from {', '.join(MESSAGE_IDS)}"
            )
        if not self.signing.signs and self.message_id not in NEEDS_NO_AUTHOR:
            raise ConfigError(
                f"message_id: {self.message_id} tells messages apart by their author, which "
                f"{self.signing} leaves out; choose from {', '.join(sorted(NEEDS_NO_AUTHOR))}"
            )
        if self.gossip_heartbeats > self.history_heartbeats:
            raise ConfigError("gossip_heartbeats must not be more than history_heartbeats")
        for name in ("max_rpc_bytes", "max_queue_bytes", "max_pending_bytes"):
            if (room := getattr(self, name)) < self.max_message_bytes:
                raise ConfigError(
                    f"{name} is {room}, and a message may have {self.max_message_bytes}: raise "
                    f"it to that, or lower max_message_bytes"
                )
