"""RPCs as bytes: what we write is what others read, and nothing that they write can hurt."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.pubsub.pb import rpc_pb2

from peerloom import MalformedMessage
from peerloom_gossipsub._decode import (
    FIELDS_A_STEP,
    MAX_ENTRY_FIELDS,
    MAX_EXCHANGED_PEERS,
    RpcDecoder,
    decode_message,
    decode_rpc,
)
from peerloom_gossipsub._encode import (
    encode_message,
    encode_rpc,
    encode_signature,
    fits,
    framed,
)
from peerloom_gossipsub._protobuf import bytes_field, encode_varint, varint_field
from peerloom_gossipsub._rpc import (
    MAX_ID_BYTES,
    MAX_TOPIC_BYTES,
    IHave,
    Prune,
    Rpc,
    RpcLimits,
    Subscription,
)
from tests.gossipsub.rpcs import RPCS, messages

LIMITS = RpcLimits()
RUST_MAX_CONTROL_BYTES = 16_384  # rust-libp2p's max_control_message_size
FIELDS = ("subscriptions", "messages", "iwant", "graft", "prune", "idontwant")


def gathered(frames):
    """What all frames together say."""
    rpcs = [decode_rpc(frame, LIMITS) for frame in frames]
    assert not any(rpc.skipped for rpc in rpcs)
    return merged(*rpcs)


def merged(*rpcs):
    ihave: defaultdict[str, list[bytes]] = defaultdict(list)
    for each in (each for rpc in rpcs for each in rpc.ihave):
        ihave[each.topic] += each.ids
    parts = {name: [each for rpc in rpcs for each in getattr(rpc, name)] for name in FIELDS}
    return parts | {"ihave": ihave}


@given(RPCS)
def test_what_is_encoded_is_decoded_the_same(rpc):
    assert gathered(encode_rpc(rpc)) == merged(rpc)


@given(RPCS, st.integers(500, 2000))
def test_no_frame_is_longer_than_asked_and_nothing_is_lost(rpc, max_bytes):
    frames = encode_rpc(rpc, max_bytes)

    assert all(len(frame) <= max_bytes for frame in frames)
    assert gathered(frames) == merged(rpc)


@pytest.mark.parametrize("number", [1, 2, 3, 15], ids=["subscriptions", "messages", "control", "?"])
def test_no_step_of_decoding_reads_many_fields(number):
    entry = {
        1: bytes_field(1, varint_field(1, 1) + bytes_field(2, b"t")),
        2: bytes_field(2, encode_message("t", b"data")),
        3: bytes_field(3, bytes_field(3, bytes_field(1, b"t")) * 10),
        15: bytes_field(15, b"?"),
    }[number]
    decoder = RpcDecoder(entry * 3000, LIMITS)
    left = [LIMITS.max_fields, *(decoder._reader.fields_left for _ in decoder.steps())]

    steps = [before - after for before, after in pairwise(left)]
    assert len(steps) >= 3
    assert max(steps) <= FIELDS_A_STEP + 10  # the fields of the last entry


JUNK = varint_field(15, 1) * 50_000
TOPIC = bytes_field(1, b"t")


@pytest.mark.parametrize(
    "entry",
    [
        bytes_field(1, varint_field(1, 1) + bytes_field(2, b"t") + JUNK),
        bytes_field(2, encode_message("t", b"data") + JUNK),
        bytes_field(3, bytes_field(1, TOPIC + JUNK)),
        bytes_field(3, bytes_field(2, JUNK)),
        bytes_field(3, bytes_field(2, bytes_field(1, b"") * 50_000)),
        bytes_field(3, bytes_field(3, JUNK)),
        bytes_field(3, bytes_field(4, TOPIC + bytes_field(2, JUNK))),
    ],
    ids=["subscription", "message", "ihave", "iwant", "empty ids", "graft", "prune"],
)
def test_no_entry_makes_a_step_of_decoding_long(entry):
    decoder = RpcDecoder(entry, LIMITS)
    with suppress(MalformedMessage):
        for _ in decoder.steps():
            pass

    read = LIMITS.max_fields - decoder._reader.fields_left
    assert read <= LIMITS.max_ids + MAX_ENTRY_FIELDS + 10


def test_a_message_of_too_many_fields_costs_nobody_else_anything():
    one, other = (bytes_field(2, encode_message("t", data)) for data in (b"one", b"other"))
    rpc = decode_rpc(one + bytes_field(2, encode_message("t", b"junk") + JUNK) + other, LIMITS)

    assert [each.data for each in rpc.messages] == [b"one", b"other"]
    assert rpc.skipped == {"message of too many fields": 1}


def test_an_empty_rpc_is_no_frame():
    assert encode_rpc(Rpc()) == []


def test_many_ids_and_subscriptions_never_pass_what_rust_reads_of_one_rpc():
    ids = [number.to_bytes(42, "big") for number in range(5000)]
    many = [Subscription(f"topic {number:040}", subscribed=True) for number in range(1000)]
    rpc = Rpc(many, ihave=[IHave("t", ids)], iwant=ids, idontwant=ids)

    frames = encode_rpc(rpc)

    for frame in frames:
        assert len(frame) <= RUST_MAX_CONTROL_BYTES  # nothing else is in it
    assert gathered(frames) == merged(rpc)


@given(RPCS)
def test_py_libp2p_reads_what_we_write(rpc):
    message = rpc_pb2.RPC.FromString(b"".join(encode_rpc(rpc)))

    assert [(s.topicid, s.subscribe) for s in message.subscriptions] == [
        (s.topic, s.subscribed) for s in rpc.subscriptions
    ]
    assert [(m.topicIDs[0], m.data) for m in message.publish] == [
        (m.topic, m.data) for m in rpc.messages
    ]
    assert [m.SerializeToString() for m in message.publish] == [m.raw for m in rpc.messages]
    control = message.control
    assert [i for have in control.ihave for i in have.messageIDs] == [
        i for have in rpc.ihave for i in have.ids
    ]
    assert [i for want in control.iwant for i in want.messageIDs] == list(rpc.iwant)
    assert [i for want in control.idontwant for i in want.messageIDs] == list(rpc.idontwant)
    assert [graft.topicID for graft in control.graft] == list(rpc.graft)
    assert [(p.topicID, p.backoff) for p in control.prune] == [
        (p.topic, p.backoff_seconds or 0) for p in rpc.prune
    ]


@given(RPCS)
def test_we_read_what_py_libp2p_writes(rpc):
    theirs = rpc_pb2.RPC.FromString(b"".join(encode_rpc(rpc))).SerializeToString()

    assert gathered([theirs]) == merged(rpc)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_rpc_or_malformed(garbage):
    try:
        rpc = decode_rpc(garbage, LIMITS)
    except MalformedMessage:
        return
    assert gathered(encode_rpc(rpc)) == merged(rpc)


@given(RPCS, st.data())
def test_a_changed_byte_or_a_cut_is_an_rpc_or_malformed(rpc, data):
    frame = bytearray(b"".join(encode_rpc(rpc)))
    if not frame:
        return
    frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    del frame[data.draw(st.integers(0, len(frame))) :]
    try:
        decode_rpc(bytes(frame), LIMITS)
    except MalformedMessage:
        return


@given(messages())
def test_a_message_is_kept_byte_by_byte(message):
    assert decode_message(message.raw) == message


def test_unknown_fields_stay_in_the_message():
    raw = encode_message("t", b"data") + encode_signature(b"s", b"k") + bytes_field(9, b"new")

    message = decode_message(raw)

    start, end = message.unsigned
    assert message.raw == raw
    assert raw[start:end] == encode_signature(b"s", b"k")
    assert (message.signature, message.key) == (b"s", b"k")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(bytes_field(4, b"t") + bytes_field(2, b"d"), id="out-of-order"),
        pytest.param(bytes_field(4, b"t") + bytes_field(4, b"u"), id="twice"),
        pytest.param(bytes_field(9, b"") + bytes_field(4, b"t"), id="behind-unknown"),
        pytest.param(varint_field(4, 1), id="number-for-topic"),
        pytest.param(bytes_field(2, b"d"), id="no-topic"),
        pytest.param(bytes_field(4, b"\xff"), id="topic-not-utf-8"),
        pytest.param(bytes_field(4, b"t" * (MAX_TOPIC_BYTES + 1)), id="topic-too-long"),
    ],
)
def test_a_message_in_another_form_is_left_out_and_counted(raw):
    with pytest.raises(MalformedMessage):
        decode_message(raw)

    good = encode_message("t", b"d")
    rpc = decode_rpc(bytes_field(2, raw) + bytes_field(2, good), LIMITS)

    assert [message.raw for message in rpc.messages] == [good]
    assert rpc.skipped == {"message malformed": 1}


def test_a_message_past_its_bound_is_left_out_and_the_rest_stays():
    limits = RpcLimits(max_message_bytes=100)
    large, small = encode_message("t", bytes(100)), encode_message("t", bytes(90))

    rpc = decode_rpc(bytes_field(2, large) + bytes_field(2, small), limits)

    assert [message.raw for message in rpc.messages] == [small]
    assert rpc.skipped == {"message too large": 1}


def test_control_past_its_bound_is_not_decoded_and_messages_stay():
    control = bytes_field(3, bytes_field(3, bytes_field(1, b"topic")))
    limits = RpcLimits(max_control_bytes=len(control))

    rpc = decode_rpc(control * 3 + bytes_field(2, encode_message("t", b"")), limits)

    assert (list(rpc.graft), len(rpc.messages)) == (["topic"], 1)
    assert rpc.skipped == {"control bytes": 2}


def test_surplus_of_every_kind_is_left_out_and_counted():
    limits = RpcLimits(max_entries=2, max_ids=3)
    four = [bytes([number]) for number in range(1, 5)]
    sent = Rpc(
        [Subscription(str(number), subscribed=True) for number in range(3)],
        ihave=[IHave("t", four[:2]), IHave("u", four[2:]), IHave("v", [b"x"])],
        iwant=four,
        graft=["1", "2", "3"],
        prune=[Prune("1"), Prune("2"), Prune("3")],
        idontwant=four,
    )

    rpc = decode_rpc(b"".join(encode_rpc(sent)), limits)

    assert [len(each) for each in (rpc.subscriptions, rpc.graft, rpc.prune)] == [2, 2, 2]
    assert [list(each.ids) for each in rpc.ihave] == [four[:2], four[2:3]]
    assert (rpc.iwant, rpc.idontwant) == (four[:3], four[:3])
    assert rpc.skipped == {"subscriptions": 1, "ids": 3, "control entries": 3}


def test_ids_that_are_empty_or_too_long_are_left_out():
    ids = b"".join(bytes_field(1, each) for each in (b"", bytes(MAX_ID_BYTES + 1), b"good"))

    assert decode_rpc(bytes_field(3, bytes_field(2, ids)), LIMITS).iwant == [b"good"]


def test_a_prune_suggests_so_many_peers_and_no_more():
    peers = bytes_field(2, bytes_field(1, b"peer")) * (MAX_EXCHANGED_PEERS + 1)
    prune = bytes_field(4, bytes_field(1, b"t") + peers)

    rpc = decode_rpc(bytes_field(3, prune), LIMITS)

    assert len(rpc.prune[0].peers) == MAX_EXCHANGED_PEERS


@pytest.mark.parametrize("backoff", [0, 1, 2**31, 2**63 - 1, 2**64 - 1])
def test_a_backoff_of_any_size_is_read(backoff):
    [frame] = encode_rpc(Rpc(prune=[Prune("t", backoff)]))

    assert decode_rpc(frame, LIMITS).prune[0].backoff_seconds == backoff


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(bytes_field(1, b""), id="subscriptions"),
        pytest.param(bytes_field(2, b""), id="messages"),
        pytest.param(bytes_field(3, b""), id="control"),
        pytest.param(bytes_field(15, b""), id="unknown"),
        *(pytest.param(bytes_field(n, b""), id=f"control-{n}") for n in range(1, 6)),
    ],
)
def test_advisory_16_millions_of_empty_entries_are_refused_before_they_are_read(entry, request):
    flood = entry * (4 * 1024 * 1024 // len(entry))
    if "control-" in request.node.callspec.id:
        flood = bytes_field(3, flood)
        assert decode_rpc(flood, LIMITS).skipped == {"control bytes": 1}
        flood = bytes_field(3, entry * (LIMITS.max_control_bytes // len(entry)))

    with pytest.raises(MalformedMessage, match=r"more protobuf fields|names no topic"):
        decode_rpc(flood, LIMITS)


def test_advisory_15_a_frame_full_of_subscriptions_gives_no_more_than_the_bound():
    entry = bytes_field(1, varint_field(1, 1) + bytes_field(2, b"topic-00"))
    few = LIMITS.max_fields // 3

    rpc = decode_rpc(entry * few, LIMITS)

    assert len(rpc.subscriptions) == LIMITS.max_entries
    assert rpc.skipped == {"subscriptions": few - LIMITS.max_entries}
    with pytest.raises(MalformedMessage):
        decode_rpc(entry * (4 * 1024 * 1024 // len(entry)), LIMITS)


def test_a_message_fits_up_to_the_last_byte():
    message = decode_message(encode_message("t", bytes(300_000)))
    [frame] = encode_rpc(Rpc(messages=[message]))

    assert fits(message, len(message.raw) + 5)
    assert not fits(message, len(message.raw) + 4)
    assert len(frame) <= len(message.raw) + 5
    assert framed(frame) == encode_varint(len(frame)) + frame
