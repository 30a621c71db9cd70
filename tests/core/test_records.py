"""Signed peer records: libp2p/specs, RFC 0002 and 0003, and advisory RUSTSEC-2022-0009."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom._errors import MalformedMessage
from peerloom._framing import encode_varint
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType, open_peer_record, seal_peer_record
from peerloom._libp2p._messages import envelope_message, peer_record_message
from peerloom._libp2p._records import MAX_ENVELOPE_BYTES, MAX_RECORD_ADDRESSES

ADDRESSES = (
    Multiaddr("/ip4/192.0.2.7/tcp/2428"),
    Multiaddr("/ip6/2001:db8::7/udp/2428/quic-v1"),
    Multiaddr("/dns4/node.example/tcp/443"),
)
ALICE = KeyPair.from_seed(b"a" * 32)
MALLORY = KeyPair.from_seed(b"m" * 32)
STANDARD = (b"libp2p-peer-record", b"\x03\x01")
LEGACY = (b"libp2p-routing-state", b"/libp2p/routing-state-record")


def record_of(key_pair: KeyPair, addresses: list[bytes], sequence: int = 1) -> bytes:
    message = peer_record_message()
    infos = [message.AddressInfo(multiaddr=raw) for raw in addresses]
    return message(
        peer_id=bytes(key_pair.peer_id), seq=sequence, addresses=infos
    ).SerializeToString()


def envelope_of(
    signer: KeyPair, payload: bytes, form: tuple[bytes, bytes] = STANDARD, shown: bytes = b""
) -> bytes:
    domain, kind = form
    kind = shown or kind
    text = b"".join(encode_varint(len(part)) + part for part in (domain, kind, payload))
    message = envelope_message()(payload_type=kind, payload=payload, signature=signer.sign(text))
    message.public_key.MergeFromString(signer.public_key.to_protobuf())
    return message.SerializeToString()


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_sealed_record_opens_to_what_went_in(key_type: KeyType) -> None:
    key_pair = KeyPair.generate(key_type)
    record = open_peer_record(seal_peer_record(key_pair, ADDRESSES, 2**64 - 1))
    assert record.peer == key_pair.peer_id
    assert record.sequence == 2**64 - 1
    assert record.addresses == ADDRESSES


def test_py_libp2p_opens_our_record_and_we_open_its() -> None:
    from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: PLC0415 - slow import
    from libp2p.peer.envelope import consume_envelope, seal_record  # noqa: PLC0415
    from libp2p.peer.id import ID  # noqa: PLC0415
    from libp2p.peer.peer_record import PeerRecord  # noqa: PLC0415

    _, theirs = consume_envelope(seal_peer_record(ALICE, ADDRESSES, 7), "libp2p-peer-record")
    assert (str(theirs.peer_id), theirs.seq) == (str(ALICE.peer_id), 7)
    assert tuple(theirs.addrs) == ADDRESSES

    key_pair = create_new_key_pair()
    peer = ID.from_pubkey(key_pair.public_key)
    sealed = seal_record(PeerRecord(peer, list(ADDRESSES), 9), key_pair.private_key)
    ours = open_peer_record(sealed.marshal_envelope())
    assert (str(ours.peer), ours.sequence, ours.addresses) == (str(peer), 9, ADDRESSES)


def test_an_rsa_record_of_py_libp2p_opens_although_it_leaves_the_key_type_out() -> None:
    from libp2p.crypto.rsa import create_new_key_pair  # noqa: PLC0415 - slow import
    from libp2p.peer.envelope import seal_record  # noqa: PLC0415
    from libp2p.peer.id import ID  # noqa: PLC0415
    from libp2p.peer.peer_record import PeerRecord  # noqa: PLC0415

    key_pair = create_new_key_pair()
    peer = ID.from_pubkey(key_pair.public_key)
    sealed = seal_record(PeerRecord(peer, list(ADDRESSES), 9), key_pair.private_key)
    assert str(open_peer_record(sealed.marshal_envelope()).peer) == str(peer)


def test_the_form_that_rust_writes_opens_as_well() -> None:
    payload = record_of(ALICE, [a.to_bytes() for a in ADDRESSES])
    assert open_peer_record(envelope_of(ALICE, payload, LEGACY)).addresses == ADDRESSES


def test_a_record_signed_for_another_purpose_is_refused() -> None:
    payload = record_of(ALICE, [])
    with pytest.raises(MalformedMessage, match="wrong signature"):
        open_peer_record(envelope_of(ALICE, payload, (b"libp2p-relay-rsvp", b"\x03\x01")))
    with pytest.raises(MalformedMessage, match="wrong signature"):
        open_peer_record(envelope_of(ALICE, payload, STANDARD, shown=LEGACY[1]))
    with pytest.raises(MalformedMessage, match="something else"):
        open_peer_record(envelope_of(ALICE, payload, (b"libp2p-relay-rsvp", b"\x03\x02")))


def test_a_record_of_somebody_else_under_ones_own_key_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="was signed by"):
        open_peer_record(envelope_of(MALLORY, record_of(ALICE, [])))


def test_a_record_with_a_foreign_signature_is_refused() -> None:
    message = envelope_message().FromString(seal_peer_record(ALICE, ADDRESSES, 1))
    message.signature = MALLORY.sign(b"anything")
    with pytest.raises(MalformedMessage, match="wrong signature"):
        open_peer_record(message.SerializeToString())


def test_a_record_whose_key_was_swapped_is_refused() -> None:
    message = envelope_message().FromString(seal_peer_record(ALICE, ADDRESSES, 1))
    message.public_key.MergeFromString(MALLORY.public_key.to_protobuf())
    with pytest.raises(MalformedMessage, match="wrong signature"):
        open_peer_record(message.SerializeToString())


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_one_changed_byte_spoils_a_record(data: st.DataObject) -> None:
    sealed = bytearray(seal_peer_record(ALICE, ADDRESSES, 1))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MalformedMessage):
        open_peer_record(bytes(sealed))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_envelope_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        open_peer_record(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_signed_payload_that_is_no_record_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        open_peer_record(envelope_of(ALICE, payload))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_addresses_that_nobody_understands_are_left_out(unknown: list[bytes]) -> None:
    known = ADDRESSES[0]
    record = open_peer_record(envelope_of(ALICE, record_of(ALICE, [*unknown, known.to_bytes()])))
    assert record.addresses[-1] == known
    assert all(address.to_bytes() in unknown for address in record.addresses[:-1])


def test_a_record_is_bounded_in_bytes_and_in_addresses() -> None:
    many = [ADDRESSES[0].to_bytes()] * 1000
    record = open_peer_record(envelope_of(ALICE, record_of(ALICE, many)))
    assert len(record.addresses) == MAX_RECORD_ADDRESSES
    with pytest.raises(MalformedMessage, match="over the bound"):
        open_peer_record(bytes(MAX_ENVELOPE_BYTES + 1))
