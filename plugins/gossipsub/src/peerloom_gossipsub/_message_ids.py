"""How messages are told apart. All peers of a topic must do it alike, and implementations differ.

Source: libp2p/specs, pubsub, message identification.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from peerloom import MalformedMessage, PeerId

from ._rpc import MessageId, WireMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

MessageIdFunction = Callable[[WireMessage], MessageId]

_RUST_NOBODY: Final = PeerId(b"\x00\x01\x00")  # whom rust-libp2p takes for the missing author


def source_and_sequence(message: WireMessage) -> MessageId:
    """The author's id and its number for the message: the default of go and py-libp2p."""
    return (message.source or b"") + (message.sequence or b"")


def key_and_sequence(message: WireMessage) -> MessageId:
    """The author's public key and its number for the message: js-libp2p's default.

    Raises `MalformedMessage` when there is neither an author nor a key.
    """
    key = _source_of(message).inline_public_key() or message.key
    if key is None:
        raise MalformedMessage("a message holds no key of its author")
    return key + (message.sequence or b"")


def rust_source_and_sequence(message: WireMessage) -> MessageId:
    """The author's id as text and its number in decimal: rust-libp2p's default.

    Raises `MalformedMessage` when the author is no peer id.
    """
    source = _source_of(message) if message.source else _RUST_NOBODY
    return f"{source}{int.from_bytes(message.sequence or b'', 'big')}".encode()


def data_hash(message: WireMessage) -> MessageId:
    """SHA-256 of the data: js-libp2p's default for messages without an author."""
    return hashlib.sha256(message.data).digest()


MESSAGE_IDS: Final[Mapping[str, MessageIdFunction]] = {
    "go": source_and_sequence,
    "js": key_and_sequence,
    "rust": rust_source_and_sequence,
    "data-hash": data_hash,
}
NEEDS_NO_AUTHOR: Final = frozenset({"data-hash"})


def by_content_without_number(message_id: MessageIdFunction) -> MessageIdFunction:
    """The same ids, but of messages that bear no number of their author that of `data_hash`.

    By go's and rust's functions these are all one message: whoever uses them hears the first only.
    """

    def made(message: WireMessage) -> MessageId:
        return data_hash(message) if message.sequence is None else message_id(message)

    return made


def _source_of(message: WireMessage) -> PeerId:
    try:
        return PeerId(message.source or b"")
    except ValueError:
        raise MalformedMessage("a message's author is no peer id") from None
