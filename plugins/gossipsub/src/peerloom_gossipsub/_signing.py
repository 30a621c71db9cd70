"""Who published a message: signing our own, and verifying those of others.

Source: libp2p/specs, pubsub, message signing.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from attrs import frozen

from peerloom import MalformedMessage, PeerId, PublicKey

from ._encode import encode_message, encode_signature
from ._rpc import WireMessage

if TYPE_CHECKING:
    from peerloom import KeyPair

SEQUENCE_BYTES: Final = 8

_PREFIX: Final = b"libp2p-pubsub:"
_KNOWN_KEYS: Final = 1024  # to parse a key again takes longer than to verify
_HIGHEST_SEQUENCE: Final = 2**64 - 1


class SigningPolicy(StrEnum):
    """Whether this node signs, and what it takes from others (libp2p/specs, pubsub)."""

    STRICT_SIGN = "strict-sign"
    STRICT_NO_SIGN = "strict-no-sign"
    LAX_SIGN = "lax-sign"
    LAX_NO_SIGN = "lax-no-sign"

    @property
    def signs(self) -> bool:
        """Whether own messages carry author, number and signature."""
        return self in {SigningPolicy.STRICT_SIGN, SigningPolicy.LAX_SIGN}

    @property
    def is_lax(self) -> bool:
        """Whether messages are accepted with a signature and without one."""
        return self in {SigningPolicy.LAX_SIGN, SigningPolicy.LAX_NO_SIGN}


class InvalidMessage(MalformedMessage):
    """A message that may not be forwarded: whoever forwarded it is at fault.

    Attributes:
        cause: why, in a few words that never change: they name a counter.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"invalid message: {cause}")
        self.cause = cause


@frozen
class Author:
    """Who published a message, as far as it says so.

    Attributes:
        source: who, or None.
        sequence: its number for the message, or None.
        is_signed: whether it has proved that.
    """

    source: PeerId | None
    sequence: int | None
    is_signed: bool


class Publisher:
    """Makes the messages of this node."""

    def __init__(self, key_pair: KeyPair, policy: SigningPolicy, first_sequence: int) -> None:
        """Sign with `key_pair` if the policy says so.

        `first_sequence` must grow from one start of the node to the next: nanoseconds since 1970.
        """
        key = key_pair.public_key
        self._key_pair = key_pair
        self._source = bytes(key.peer_id)
        self._signs = policy.signs
        self._key = None if key.peer_id.inline_public_key() else key.to_protobuf()
        self._sequence = first_sequence

    def make(self, topic: str, data: bytes) -> WireMessage:
        """A new message of this node, as whoever decodes it sees it."""
        if not self._signs:
            return WireMessage(encode_message(topic, data), topic, data)
        sequence = self._sequence.to_bytes(SEQUENCE_BYTES, "big")
        self._sequence = self._sequence + 1 & _HIGHEST_SEQUENCE
        unsigned = encode_message(topic, data, self._source, sequence)
        signature = self._key_pair.sign(_PREFIX + unsigned)
        raw = unsigned + encode_signature(signature, self._key)
        return WireMessage(
            raw=raw,
            topic=topic,
            data=data,
            source=self._source,
            sequence=sequence,
            signature=signature,
            key=self._key,
            unsigned=(len(unsigned), len(raw)),
        )


class Verifier:
    """Checks the messages of others. Two threads may use it at a time."""

    def __init__(self, policy: SigningPolicy) -> None:
        self._policy = policy
        self._keys: OrderedDict[tuple[bytes, bytes | None], PublicKey] = OrderedDict()

    def verify(self, message: WireMessage) -> Author:
        """Who published it; raises `InvalidMessage` if the policy does not let it pass.

        It takes about 0.1 ms of processor time where there is a signature.
        """
        if self._policy is SigningPolicy.STRICT_NO_SIGN:
            return _require_anonymous(message)
        if message.signature is None and self._policy.is_lax:
            return _read_author(message)
        if message.signature is None:
            raise InvalidMessage("no signature")
        author = _read_author(message)
        if author.source is None:
            raise InvalidMessage("no author")
        if author.sequence is None:
            raise InvalidMessage("no sequence number")
        if not self._key_of(message).verify(signed_bytes(message), message.signature):
            raise InvalidMessage("wrong signature")
        return Author(author.source, author.sequence, is_signed=True)

    def _key_of(self, message: WireMessage) -> PublicKey:
        name = (message.source or b"", message.key)
        known = self._keys.get(name)
        if known is None:
            known = self._keys[name] = _author_key(message)
            if len(self._keys) > _KNOWN_KEYS:
                self._keys.popitem(last=False)
        return known


def signed_bytes(message: WireMessage) -> bytes:
    """What the author of a message has signed: everything but signature and key."""
    start, end = message.unsigned
    return b"".join((_PREFIX, message.raw[:start], message.raw[end:]))


def _require_anonymous(message: WireMessage) -> Author:
    stamped = (message.signature, message.key, message.source, message.sequence)
    if any(part is not None for part in stamped):
        raise InvalidMessage("names its author")
    return Author(None, None, is_signed=False)


def _read_author(message: WireMessage) -> Author:
    sequence = message.sequence
    if sequence is not None and len(sequence) != SEQUENCE_BYTES:
        raise InvalidMessage("sequence number of a wrong length")
    try:
        source = PeerId(message.source) if message.source else None
    except ValueError:
        raise InvalidMessage("author is no peer id") from None
    number = None if sequence is None else int.from_bytes(sequence, "big")
    return Author(source, number, is_signed=False)


def _author_key(message: WireMessage) -> PublicKey:
    source = PeerId(message.source or b"")
    blob = message.key if message.key is not None else source.inline_public_key()
    if blob is None:
        raise InvalidMessage("no key")
    try:
        key = PublicKey.from_protobuf(blob)
    except MalformedMessage:
        raise InvalidMessage("unusable key") from None
    if key.peer_id != source:
        raise InvalidMessage("key of somebody else")
    return key
