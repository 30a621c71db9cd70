"""What gossipsub's peers send each other, as values. Source: libp2p/specs, pubsub and gossipsub."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

MessageId = bytes


@frozen
class WireMessage:
    """A message as it stands on the wire; it is forwarded byte by byte as it came.

    Attributes:
        raw: all of it.
        topic: the topic that it was published to.
        data: what the application gave.
        source: who published it (a peer id's bytes), or None.
        sequence: its author's number for it, or None.
        signature: its author's signature, or None.
        key: its author's public key where `source` does not hold it, or None.
        unsigned: where in `raw` signature and key stand: a start and an end.
    """

    raw: bytes
    topic: str
    data: bytes
    source: bytes | None = None
    sequence: bytes | None = None
    signature: bytes | None = None
    key: bytes | None = None
    unsigned: tuple[int, int] = (0, 0)


@frozen
class Subscription:
    """A peer's word on whether it is subscribed to a topic."""

    topic: str
    subscribed: bool


@frozen
class IHave:
    """Ids of messages that the sender has."""

    topic: str
    ids: Sequence[MessageId]


@frozen
class ExchangedPeer:
    """A peer that another one suggests (peer exchange).

    Attributes:
        peer: its id, not looked at.
        record: its signed peer record, not verified, or None.
    """

    peer: bytes
    record: bytes | None = None


@frozen
class Prune:
    """The sender has taken us out of its mesh.

    Attributes:
        topic: of which topic.
        backoff_seconds: how long not to come back, or None.
        peers: whom to turn to instead.
    """

    topic: str
    backoff_seconds: int | None = None
    peers: Sequence[ExchangedPeer] = ()


@frozen
class Rpc:
    """One frame between two peers.

    Attributes:
        subscriptions: topics subscribed to and left.
        messages: published or forwarded.
        ihave: messages that the sender has.
        iwant: ids of messages that it asks for.
        graft: topics of which it has taken us into its mesh.
        prune: topics of which it has taken us out of its mesh.
        idontwant: ids of messages that it has already.
        skipped: what was left out when this was decoded: how often, by cause.
    """

    subscriptions: Sequence[Subscription] = ()
    messages: Sequence[WireMessage] = ()
    ihave: Sequence[IHave] = ()
    iwant: Sequence[MessageId] = ()
    graft: Sequence[str] = ()
    prune: Sequence[Prune] = ()
    idontwant: Sequence[MessageId] = ()
    skipped: Mapping[str, int] = field(factory=dict)

    def parts(self, most: int) -> Iterator[Rpc]:
        """The same as several, of at most `most` entries of each kind, in the order to hear them.

        That is the order in which the router hears one: kind after kind, as an RPC gives no other,
        and what is said again and again is said once. What the sender has (`ihave`) is told whole.
        """
        kinds = (self.subscriptions, self.messages, self.iwant, self.graft, self.prune)
        if max(map(len, (*kinds, self.idontwant))) <= most:
            yield self
            return
        yield Rpc(skipped=self.skipped)
        yield from (Rpc(subscriptions=some) for some in batched(self.subscriptions, most))
        yield from (Rpc(messages=some) for some in batched(self.messages, most))
        yield from (Rpc(graft=some) for some in batched(dict.fromkeys(self.graft), most))
        prunes = {prune.topic: prune for prune in self.prune}.values()
        yield from (Rpc(prune=some) for some in batched(prunes, most))
        yield Rpc(ihave=self.ihave)
        yield from (Rpc(idontwant=some) for some in batched(self.idontwant, most))
        yield from (Rpc(iwant=some) for some in batched(dict.fromkeys(self.iwant), most))


def batched(entries: Iterable[T], most: int) -> Iterator[tuple[T, ...]]:
    """So many at a time."""
    left = iter(entries)
    while some := tuple(islice(left, most)):
        yield some


MAX_TOPIC_BYTES: Final = 1024  # context ids take 44; a peer can make us keep each of its topics
MAX_ID_BYTES: Final = 256  # go and js make 42, rust 72


@frozen
class RpcLimits:
    """What one RPC may hold; checked before it is decoded. What passes them is left out, counted.

    Attributes:
        max_fields: protobuf fields of all messages in it; an RPC of more is refused as a whole.
        max_control_bytes: its control messages; more are not decoded.
        max_entries: subscriptions, and control messages of each kind.
        max_ids: message ids in control messages of each kind (go-libp2p-pubsub announces 5,000).
        max_message_bytes: one message.
    """

    max_fields: int = 100_000
    max_control_bytes: int = 1024 * 1024
    max_entries: int = 5000
    max_ids: int = 5000
    max_message_bytes: int = 1024 * 1024
