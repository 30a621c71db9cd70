"""Signed envelopes and the peer records in them (libp2p/specs, RFC 0002 and RFC 0003)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import frozen
from google.protobuf.message import DecodeError

from peerloom._addresses import address_from_wire
from peerloom._errors import MalformedMessage
from peerloom._framing import encode_varint
from peerloom._peer_id import PeerId

from ._keys import PublicKey
from ._messages import envelope_message, peer_record_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from multiaddr import Multiaddr

    from ._keys import KeyPair

MAX_ENVELOPE_BYTES: Final = 32_768  # 128 long addresses and an RSA key
MAX_RECORD_ADDRESSES: Final = 64  # 4 ms of parsing; honest peers list about 20

_DOMAIN: Final = b"libp2p-peer-record"  # what go, js and py write; RFC 0003 has a draft's names
_PAYLOAD_TYPE: Final = b"\x03\x01"
_DOMAINS: Final = {  # rust writes RFC 0003's, in identify and in rendezvous
    _PAYLOAD_TYPE: _DOMAIN,
    b"/libp2p/routing-state-record": b"libp2p-routing-state",
}


@frozen
class PeerRecord:
    """Where a peer says it can be reached, in a form that it signed.

    Attributes:
        peer: who signed it.
        sequence: grows with each record of this peer; says nothing about time.
        addresses: what the record lists; entries that are no multiaddr are left out.
    """

    peer: PeerId
    sequence: int
    addresses: tuple[Multiaddr, ...]


def seal_peer_record(key_pair: KeyPair, addresses: Sequence[Multiaddr], sequence: int) -> bytes:
    """The signed envelope of this node's own record; `sequence` must grow with each."""
    record_message, envelope = peer_record_message(), envelope_message()()
    record = record_message(
        peer_id=bytes(key_pair.peer_id),
        seq=sequence,
        addresses=[record_message.AddressInfo(multiaddr=a.to_bytes()) for a in addresses],
    )
    envelope.public_key.MergeFromString(key_pair.public_key.to_protobuf())
    envelope.payload_type = _PAYLOAD_TYPE
    envelope.payload = record.SerializeToString()
    envelope.signature = key_pair.sign(_signed_part(_DOMAIN, _PAYLOAD_TYPE, envelope.payload))
    return envelope.SerializeToString()


def open_peer_record(envelope: bytes) -> PeerRecord:
    """Verify and read a peer's record.

    Raises `MalformedMessage` when the envelope is too long or no peer record, when its signature
    is wrong, and when it was signed by another key than the record's peer has.
    """
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise MalformedMessage(f"signed envelope of {len(envelope)} bytes, over the bound")
    try:
        message = envelope_message().FromString(envelope)
    except DecodeError:
        raise MalformedMessage("not a signed envelope") from None
    key = PublicKey.from_protobuf(message.public_key.SerializeToString())
    domain = _DOMAINS.get(message.payload_type)
    if domain is None:
        raise MalformedMessage("signed envelope holds something else than a peer record")
    if not key.verify(
        _signed_part(domain, message.payload_type, message.payload), message.signature
    ):
        raise MalformedMessage(f"peer record that names {key.peer_id} has a wrong signature")
    return _read_record(message.payload, key.peer_id)


def _read_record(payload: bytes, signer: PeerId) -> PeerRecord:
    try:
        record = peer_record_message().FromString(payload)
        peer = PeerId(record.peer_id)
    except (DecodeError, ValueError):
        raise MalformedMessage("signed envelope holds no readable peer record") from None
    if peer != signer:
        raise MalformedMessage(f"peer record of {peer} was signed by {signer}")
    listed = (info.multiaddr for info in record.addresses[:MAX_RECORD_ADDRESSES])
    return PeerRecord(peer, record.seq, tuple(_addresses(listed)))


def _addresses(raw: Iterable[bytes]) -> Iterator[Multiaddr]:
    for data in raw:
        with suppress(MalformedMessage):  # a kind that only newer peers know spoils no record
            yield address_from_wire(data)


def _signed_part(domain: bytes, payload_type: bytes, payload: bytes) -> bytes:
    parts = (domain, payload_type, payload)
    return b"".join(encode_varint(len(part)) + part for part in parts)
