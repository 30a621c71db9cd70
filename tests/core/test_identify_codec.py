"""The message of identify and its bounds."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom._errors import MalformedMessage
from peerloom._libp2p import identify_message, load
from peerloom._meta._identify_codec import (
    MAX_ADDRESSES,
    MAX_PARTS,
    MAX_PROTOCOLS,
    MAX_RECEIVED_BYTES,
    MAX_SENT_PART_BYTES,
    MAX_TEXT_CHARACTERS,
    IdentifyMessage,
    decode_identify,
    encode_identify,
    merge_identify,
)
from peerloom._peer_id import PeerId

KEY = bytes.fromhex("08011220") + bytes(range(32))
PEER = PeerId.from_public_key(KEY)
STRANGER = PeerId.from_public_key(bytes.fromhex("08011220") + bytes(32))

load()  # the first use would be slow, and hypothesis has a deadline

addresses = st.builds(
    lambda host, port: Multiaddr(f"/ip4/10.0.0.{host}/tcp/{port}"),
    st.integers(0, 255),
    st.integers(1, 65535),
)
names = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=100)
messages = st.builds(
    IdentifyMessage,
    agent=st.none() | names,
    protocol_version=st.none() | names,
    public_key=st.none() | st.just(KEY),
    listen_addresses=st.lists(addresses, max_size=MAX_ADDRESSES, unique=True).map(tuple),
    protocols=st.lists(names, max_size=60, unique=True).map(tuple),
    observed_address=st.none() | addresses,
    signed_record=st.none() | st.binary(min_size=1, max_size=6000),
)


@settings(max_examples=50)
@given(messages)
def test_identify_message_comes_back_from_its_parts(message: IdentifyMessage) -> None:
    assert decode_identify(encode_identify(message), PEER) == message


@settings(max_examples=50)
@given(messages)
def test_identify_is_sent_in_parts_that_rust_libp2p_takes(message: IdentifyMessage) -> None:
    parts = encode_identify(message)

    record = len(message.signed_record or b"")
    assert len(parts) <= MAX_PARTS
    assert all(len(part) <= max(MAX_SENT_PART_BYTES, record + 16) for part in parts)


def test_identify_sends_what_is_needed_most_in_the_first_part() -> None:
    whole = IdentifyMessage(
        agent="peerloom",
        public_key=KEY,
        protocols=("/ipfs/ping/1.0.0",),
        listen_addresses=(Multiaddr("/ip4/10.0.0.1/tcp/1"),),
        signed_record=bytes(4090),
    )
    first, second = encode_identify(whole)

    assert decode_identify([first], PEER).protocols == whole.protocols
    assert decode_identify([first], PEER).listen_addresses == whole.listen_addresses
    assert decode_identify([second], PEER).signed_record == whole.signed_record


def test_identify_reads_what_other_implementations_write() -> None:
    wire = bytes.fromhex(
        "0a24" + KEY.hex() + "1208047f000001060fa1" + "1a102f697066732f70696e672f312e302e30"
        "2208047f00000106c350" + "2a0a697066732f302e312e30" + "320a6a732d6c69627032702f"
    )

    message = decode_identify([wire], PEER)

    assert message.public_key == KEY
    assert message.listen_addresses == (Multiaddr("/ip4/127.0.0.1/tcp/4001"),)
    assert message.protocols == ("/ipfs/ping/1.0.0",)
    assert message.observed_address == Multiaddr("/ip4/127.0.0.1/tcp/50000")
    assert message.protocol_version == "ipfs/0.1.0"
    assert message.agent == "js-libp2p/"


def test_identify_with_another_public_key_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="another public key"):
        decode_identify(encode_identify(IdentifyMessage(public_key=KEY)), STRANGER)


@pytest.mark.parametrize("size", [0, 2049, 60_000])
def test_identify_with_a_public_key_of_absurd_size_is_refused(size: int) -> None:
    wire = identify_message()(public_key=bytes(size)).SerializeToString()

    with pytest.raises(MalformedMessage, match="public key"):
        decode_identify([wire], PEER)


def test_identify_leaves_out_and_counts_invalid_addresses() -> None:
    good = Multiaddr("/ip4/10.0.0.1/udp/1/quic-v1")
    raw = [b"", b"\xff\xff", good.to_bytes()[:-3], good.to_bytes(), bytes(2000)]
    wire = identify_message()(listen_addrs=raw).SerializeToString()

    message = decode_identify([wire], PEER)

    assert message.listen_addresses == (good,)
    assert message.skipped == 4


def test_identify_addresses_lose_the_senders_id_and_those_of_others_are_left_out() -> None:
    bare = Multiaddr("/ip4/10.0.0.1/tcp/1")
    relayed = Multiaddr(f"/ip4/10.0.0.1/tcp/1/p2p/{STRANGER}/p2p-circuit")
    raw = [
        Multiaddr(f"{bare}/p2p/{PEER}").to_bytes(),
        Multiaddr(f"{bare}/p2p/{STRANGER}").to_bytes(),
        Multiaddr(f"{relayed}/p2p/{PEER}").to_bytes(),
    ]
    wire = identify_message()(listen_addrs=raw).SerializeToString()

    assert decode_identify([wire], PEER).listen_addresses == (bare, relayed)


def test_identify_leaves_out_protocols_that_cannot_be_ones() -> None:
    wire = b"\x1a\x02\xff\xfe" + b"\x1a\x00" + b"\x1a\x03a\x1b[" + b"\x1a\x02/a" + b"\x1a\x02/a"
    wire += identify_message()(protocols=["x" * 257]).SerializeToString()

    message = decode_identify([wire], PEER)

    assert message.protocols == ("/a",)
    assert message.skipped == 5


def test_identify_of_many_protocols_and_addresses_in_many_parts_stays_within_its_bounds() -> None:
    parts = [crowded_part(part, protocols=500, addresses=250) for part in range(MAX_PARTS)]

    message = decode_identify(parts, PEER)

    assert len(message.protocols) == MAX_PROTOCOLS
    assert len(message.listen_addresses) == MAX_ADDRESSES
    assert message.skipped == 5000 + 2500 - MAX_PROTOCOLS - MAX_ADDRESSES


def test_identify_of_10_000_protocols_and_10_000_addresses_is_refused() -> None:
    parts = [crowded_part(part, protocols=1000, addresses=1000) for part in range(MAX_PARTS)]

    with pytest.raises(MalformedMessage, match="10 parts of 1"):
        decode_identify(parts, PEER)


def crowded_part(part: int, *, protocols: int, addresses: int) -> bytes:
    listen = [Multiaddr(f"/ip4/10.0.0.{part}/tcp/{n}").to_bytes() for n in range(addresses)]
    names = [f"{part}{n:x}" for n in range(protocols)]
    return identify_message()(protocols=names, listen_addrs=listen).SerializeToString()


def test_identify_in_too_many_parts_or_bytes_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="11 parts"):
        decode_identify([b""] * (MAX_PARTS + 1), PEER)
    with pytest.raises(MalformedMessage, match="bytes"):
        decode_identify([bytes(MAX_RECEIVED_BYTES // 2 + 1)] * 2, PEER)


@pytest.mark.parametrize("field", [b"\x12\x00", b"\x1a\x00", b"\x0a\x00", b"\x42\x00"])
def test_identify_of_nothing_but_empty_entries_is_decoded_within_5_milliseconds(
    field: bytes,
) -> None:
    wire = field * (MAX_RECEIVED_BYTES // len(field))
    decode_or_refuse(wire)

    best = min(timed(wire) for _ in range(5))

    assert best < 0.005


def timed(wire: bytes) -> float:
    began = time.perf_counter()
    decode_or_refuse(wire)
    return time.perf_counter() - began


def decode_or_refuse(wire: bytes) -> None:
    with suppress(MalformedMessage):
        decode_identify([wire], PEER)


@given(st.binary(max_size=300))
def test_identify_garbage_raises_nothing_but_malformed_message(wire: bytes) -> None:
    decode_or_refuse(wire)


def test_identify_agent_cannot_steer_a_terminal_and_is_short() -> None:
    wire = identify_message()(agent_version="\x1b[2Jevil" + "x" * 1000).SerializeToString()

    agent = decode_identify([wire], PEER).agent

    assert agent is not None
    assert agent.startswith("\ufffd[2Jevil")
    assert len(agent) == MAX_TEXT_CHARACTERS


def test_push_leaves_what_it_does_not_mention_as_it_was() -> None:
    known = IdentifyMessage(
        agent="a", protocols=("/x",), listen_addresses=(Multiaddr("/ip4/10.0.0.1/tcp/1"),)
    )

    merged = merge_identify(known, IdentifyMessage(protocols=("/x", "/y")))

    assert merged.protocols == ("/x", "/y")
    assert merged.agent == "a"
    assert merged.listen_addresses == known.listen_addresses


def test_push_of_unsigned_addresses_ends_the_record_that_listed_others() -> None:
    known = IdentifyMessage(signed_record=b"record")
    pushed = IdentifyMessage(listen_addresses=(Multiaddr("/ip4/10.0.0.1/tcp/1"),))

    assert merge_identify(known, pushed).signed_record is None
    assert merge_identify(known, IdentifyMessage(agent="b")).signed_record == b"record"
