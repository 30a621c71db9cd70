"""The message of identify, and its bounds. Source: libp2p/specs, identify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen
from google.protobuf.message import DecodeError

from peerloom._addresses import address_from_wire, split_peer
from peerloom._errors import MalformedMessage
from peerloom._libp2p import identify_message
from peerloom._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from multiaddr import Multiaddr

MAX_RECEIVED_BYTES: Final = 65_536  # all parts together; go and js take 8 KiB a part, 10 parts
MAX_PARTS: Final = 10  # as go-libp2p and js-libp2p
MAX_PROTOCOLS: Final = 1_000  # go-libp2p keeps 1,024
MAX_PROTOCOL_BYTES: Final = 256  # multistream-select cannot negotiate one of over 1,024
MAX_ADDRESSES: Final = 128  # as many as a signed record may list
MAX_TEXT_CHARACTERS: Final = 256  # agent and protocol version
MAX_PUBLIC_KEY_BYTES: Final = 2_048  # an RSA key of 8,192 bits takes 1,100
MAX_SENT_PART_BYTES: Final = 4_096  # rust-libp2p refuses a longer one, and reads only the first


@frozen
class IdentifyMessage:
    """What one side says of itself; a push may leave out what has not changed.

    Attributes:
        agent: its software, or None.
        protocol_version: its protocol family, or None.
        public_key: its key in protobuf form, or None.
        listen_addresses: where it listens, not signed.
        protocols: the protocols that it accepts.
        observed_address: where it sees the other side, or None.
        signed_record: a signed peer record, not verified here, or None.
        skipped: how many addresses and protocols were left out: invalid, or past a bound.
    """

    agent: str | None = None
    protocol_version: str | None = None
    public_key: bytes | None = None
    listen_addresses: tuple[Multiaddr, ...] = ()
    protocols: tuple[str, ...] = ()
    observed_address: Multiaddr | None = None
    signed_record: bytes | None = None
    skipped: int = 0


def encode_identify(message: IdentifyMessage) -> list[bytes]:
    """The message in parts of a size that every implementation takes, the most needed first."""
    parts = [b""]
    for encoded in _encoded_fields(message):
        if parts[-1] and len(parts[-1]) + len(encoded) > MAX_SENT_PART_BYTES:
            parts.append(b"")
        parts[-1] += encoded
    return parts[:MAX_PARTS]


def decode_identify(parts: Sequence[bytes], sender: PeerId) -> IdentifyMessage:
    """Read the parts of a message that `sender` sent.

    Raises `MalformedMessage` past the bounds, on anything but protobuf, and when the message
    carries another peer's public key. Single invalid addresses and protocols are left out.
    """
    wire = b"".join(parts)  # protobuf: the encodings in a row are the encoding of the merged whole
    if len(parts) > MAX_PARTS or len(wire) > MAX_RECEIVED_BYTES:
        raise MalformedMessage(f"identify in {len(parts)} parts of {len(wire)} bytes")
    try:
        raw = identify_message().FromString(wire)
    except DecodeError:
        raise MalformedMessage("identify is not the protobuf message that it should be") from None
    addresses = tuple(_addresses(raw.listen_addrs[:MAX_ADDRESSES], sender))
    protocols = tuple(_protocols(raw.protocols[:MAX_PROTOCOLS]))
    listed = len(raw.listen_addrs) + len(raw.protocols)
    return IdentifyMessage(
        agent=_text(raw.agent_version) if raw.HasField("agent_version") else None,
        protocol_version=_text(raw.protocol_version) if raw.HasField("protocol_version") else None,
        public_key=_public_key(raw.public_key, sender) if raw.HasField("public_key") else None,
        listen_addresses=addresses,
        protocols=protocols,
        observed_address=next(_addresses([raw.observed_addr], None), None),
        signed_record=raw.signedPeerRecord if raw.HasField("signedPeerRecord") else None,
        skipped=listed - len(addresses) - len(protocols),
    )


def merge_identify(known: IdentifyMessage, pushed: IdentifyMessage) -> IdentifyMessage:
    """What is known after a push: what it leaves out stays as it was (libp2p/specs, identify).

    Addresses without a record end the record that was known: it lists others.
    """
    record = None if pushed.listen_addresses else known.signed_record
    merged = evolve(known, skipped=pushed.skipped, signed_record=record)
    for name in ("agent", "protocol_version", "public_key", "observed_address", "signed_record"):
        if (value := getattr(pushed, name)) is not None:
            merged = evolve(merged, **{name: value})
    for name in ("listen_addresses", "protocols"):
        if value := getattr(pushed, name):
            merged = evolve(merged, **{name: value})
    return merged


def without_peer(addresses: Iterable[Multiaddr], peer: PeerId) -> Iterator[Multiaddr]:
    """The addresses without ``/p2p/<peer>`` at their end; those of somebody else are left out."""
    for address in addresses:
        bare, named = split_peer(address)
        if named is None or named == peer:
            yield bare


def _encoded_fields(message: IdentifyMessage) -> Iterator[bytes]:
    field, observed = identify_message(), message.observed_address
    yield field(
        protocol_version=message.protocol_version,
        agent_version=message.agent,
        public_key=message.public_key,
        observed_addr=None if observed is None else observed.to_bytes(),
    ).SerializeToString()
    for protocol in message.protocols:
        yield field(protocols=[protocol]).SerializeToString()
    for address in message.listen_addresses:
        yield field(listen_addrs=[address.to_bytes()]).SerializeToString()
    yield field(signedPeerRecord=message.signed_record).SerializeToString()


def _addresses(raw: Iterable[bytes], sender: PeerId | None) -> Iterator[Multiaddr]:
    for entry in dict.fromkeys(raw):
        try:
            address = address_from_wire(entry)
        except MalformedMessage:
            continue
        yield from (address,) if sender is None else without_peer((address,), sender)


def _protocols(raw: Iterable[str | bytes]) -> Iterator[str]:
    for name in dict.fromkeys(raw):
        # protobuf gives bytes where a string is not UTF-8
        if isinstance(name, str) and 0 < len(name) <= MAX_PROTOCOL_BYTES and name.isprintable():
            yield name


def _text(raw: str | bytes) -> str:
    text = raw if isinstance(raw, str) else raw.decode(errors="replace")
    return "".join(
        character if character.isprintable() else "\ufffd"  # it will stand in somebody's terminal
        for character in text[:MAX_TEXT_CHARACTERS]
    )


def _public_key(raw: bytes, sender: PeerId) -> bytes:
    # The key is compared by its hash and never parsed: that is where a hostile one does harm.
    if not 0 < len(raw) <= MAX_PUBLIC_KEY_BYTES or PeerId.from_public_key(raw) != sender:
        raise MalformedMessage(f"identify of {sender} carries another public key")
    return raw
