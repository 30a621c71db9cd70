"""From an `Rpc` to frames, none of them larger than a peer takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._protobuf import bytes_field, encode_varint, varint_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._rpc import ExchangedPeer, MessageId, Prune, Rpc, Subscription, WireMessage

MAX_SENT_RPC_BYTES: Final = 1024 * 1024  # what go-libp2p-pubsub takes, and js
MAX_SENT_CONTROL_BYTES: Final = 16_000  # rust-libp2p refuses more than 16,384 in one RPC
RPC_OVERHEAD_BYTES: Final = 5  # key and length around a message

_PORTION_BYTES: Final = MAX_SENT_CONTROL_BYTES // 2  # leaves room for a topic
_SUBSCRIPTION, _MESSAGE, _CONTROL = 1, 2, 3
_IHAVE, _IWANT, _GRAFT, _PRUNE, _IDONTWANT = range(1, 6)


def encode_rpc(rpc: Rpc, max_bytes: int = MAX_SENT_RPC_BYTES) -> list[bytes]:
    """The frames that carry an RPC, without their lengths in front; none for an empty one.

    Order is kept among subscriptions, among messages, and among control messages of a kind.
    Subscriptions come first, then messages, then control, as in one RPC. A message of its own must
    fit: its author, or the decoder, has seen to that.
    """
    packer = _Packer(max_bytes)
    for subscription in rpc.subscriptions:
        packer.add_plain(bytes_field(_SUBSCRIPTION, _encode_subscription(subscription)))
    for message in rpc.messages:
        packer.add_message(bytes_field(_MESSAGE, message.raw))
    for entry in _control_entries(rpc):
        packer.add_control(entry)
    return packer.frames()


def encode_message(
    topic: str,
    data: bytes,
    source: bytes | None = None,
    sequence: bytes | None = None,
) -> bytes:
    """What an author signs of its message: all but signature and key."""
    parts = ((1, source), (2, data), (3, sequence), (4, topic.encode()))
    return b"".join(bytes_field(number, part) for number, part in parts if part is not None)


def encode_signature(signature: bytes, key: bytes | None) -> bytes:
    """What an author adds to the bytes that it has signed."""
    parts = ((5, signature), (6, key))
    return b"".join(bytes_field(number, part) for number, part in parts if part is not None)


def framed(frame: bytes) -> bytes:
    """A frame with its length in front, as it goes into the stream."""
    return encode_varint(len(frame)) + frame


def fits(message: WireMessage, max_bytes: int = MAX_SENT_RPC_BYTES) -> bool:
    """Whether a message can be sent."""
    return len(message.raw) + RPC_OVERHEAD_BYTES <= max_bytes


class _Packer:
    """Fills frames one after the other."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: list[bytes] = []
        self._plain: list[bytes] = []
        self._plain_bytes = 0
        self._control: list[bytes] = []
        self._bounded_bytes = 0  # subscriptions and control: what rust-libp2p counts

    def add_plain(self, field: bytes) -> None:
        if self._bounded_bytes + len(field) > MAX_SENT_CONTROL_BYTES:
            self._finish()
        self._bounded_bytes += len(field)
        self.add_message(field)

    def add_message(self, field: bytes) -> None:
        if self._plain_bytes + len(field) > self._max_bytes:
            self._finish()
        self._plain.append(field)
        self._plain_bytes += len(field)

    def add_control(self, entry: bytes) -> None:
        size = len(entry) + RPC_OVERHEAD_BYTES
        if (
            self._bounded_bytes + size > MAX_SENT_CONTROL_BYTES
            or self._plain_bytes + self._bounded_bytes + size > self._max_bytes
        ):
            self._finish()
        self._control.append(entry)
        self._bounded_bytes += size

    def frames(self) -> list[bytes]:
        self._finish()
        return self._frames

    def _finish(self) -> None:
        if self._control:
            self._plain.append(bytes_field(_CONTROL, b"".join(self._control)))
        if self._plain:
            self._frames.append(b"".join(self._plain))
        self._plain, self._plain_bytes = [], 0
        self._control, self._bounded_bytes = [], 0


def _encode_subscription(subscription: Subscription) -> bytes:
    flag = varint_field(1, int(subscription.subscribed))
    return flag + bytes_field(2, subscription.topic.encode())


def _control_entries(rpc: Rpc) -> Iterator[bytes]:
    for ihave in rpc.ihave:
        topic = bytes_field(1, ihave.topic.encode())
        for ids in _portions(2, ihave.ids):
            yield bytes_field(_IHAVE, topic + ids)
    for ids in _portions(1, rpc.iwant):
        yield bytes_field(_IWANT, ids)
    for topic_name in rpc.graft:
        yield bytes_field(_GRAFT, bytes_field(1, topic_name.encode()))
    for prune in rpc.prune:
        yield bytes_field(_PRUNE, _encode_prune(prune))
    for ids in _portions(1, rpc.idontwant):
        yield bytes_field(_IDONTWANT, ids)


def _portions(number: int, ids: Iterable[MessageId]) -> Iterator[bytes]:
    portion: list[bytes] = []
    size = 0
    for each in ids:
        field = bytes_field(number, each)
        if portion and size + len(field) > _PORTION_BYTES:
            yield b"".join(portion)
            portion, size = [], 0
        portion.append(field)
        size += len(field)
    if portion:
        yield b"".join(portion)


def _encode_prune(prune: Prune) -> bytes:
    peers = b"".join(bytes_field(2, _encode_peer(peer)) for peer in prune.peers)
    backoff = b"" if prune.backoff_seconds is None else varint_field(3, prune.backoff_seconds)
    return bytes_field(1, prune.topic.encode()) + peers + backoff


def _encode_peer(exchanged: ExchangedPeer) -> bytes:
    record = b"" if exchanged.record is None else bytes_field(2, exchanged.record)
    return bytes_field(1, exchanged.peer) + record
