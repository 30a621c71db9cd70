"""Own messages are signed so that others believe them; forged ones pass nowhere."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.validators import signature_validator

from peerloom import KeyPair, MalformedMessage, PeerId
from peerloom_gossipsub._decode import decode_message
from peerloom_gossipsub._encode import encode_message, encode_signature
from peerloom_gossipsub._message_ids import MESSAGE_IDS
from peerloom_gossipsub._protobuf import bytes_field
from peerloom_gossipsub._signing import (
    InvalidMessage,
    Publisher,
    SigningPolicy,
    Verifier,
    signed_bytes,
)

SEQUENCE = 1_700_000_000_000_000_000
KEY_TYPES = ("ed25519", "secp256k1", "ecdsa", "rsa")
STRICT, ANONYMOUS = SigningPolicy.STRICT_SIGN, SigningPolicy.STRICT_NO_SIGN
LAX = (SigningPolicy.LAX_SIGN, SigningPolicy.LAX_NO_SIGN)


@cache
def key_pair(key_type, owner):
    return KeyPair.generate(key_type)


def keys(key_type="ed25519", owner="author"):
    return key_pair(key_type, owner)


def publish(key_type="ed25519", policy=STRICT, data=b"hello"):
    return Publisher(keys(key_type), policy, SEQUENCE).make("topic", data)


def stamped(pair, *, source=None, key=None, sequence=bytes(8), signature=None):
    """A message signed by `pair`, whatever else it claims."""
    named = bytes(pair.peer_id) if source is None else source
    unsigned = encode_message("topic", b"data", named or None, sequence)
    by_key = pair.sign(signed_bytes(decode_message(unsigned)))
    return decode_message(unsigned + encode_signature(signature or by_key, key))


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_message_signed_by_any_kind_of_key_names_its_author(key_type):
    author = Verifier(STRICT).verify(publish(key_type))

    assert author.source == keys(key_type).peer_id
    assert author.sequence == SEQUENCE
    assert author.is_signed


def test_numbers_of_messages_follow_each_other():
    publisher = Publisher(keys(), STRICT, 2**64 - 1)

    numbers = [publisher.make("topic", b"").sequence for _ in range(2)]

    assert numbers == [b"\xff" * 8, bytes(8)]


@pytest.mark.parametrize("policy", [STRICT, ANONYMOUS])
@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_our_own_message_is_the_one_that_others_decode(key_type, policy):
    message = publish(key_type, policy)

    assert decode_message(message.raw) == message


@pytest.mark.parametrize("key_type", ["ed25519", "secp256k1"])
def test_py_libp2p_believes_our_signature(key_type):
    theirs = rpc_pb2.Message.FromString(publish(key_type).raw)

    assert signature_validator(theirs)


def test_we_believe_py_libp2ps_signature():
    pair = create_new_key_pair(bytes(32))
    message = rpc_pb2.Message(
        from_id=ID.from_pubkey(pair.public_key).to_bytes(),
        data=b"data",
        seqno=bytes(8),
        topicIDs=["topic"],
    )
    message.signature = pair.private_key.sign(b"libp2p-pubsub:" + message.SerializeToString())
    message.key = pair.public_key.serialize()

    author = Verifier(STRICT).verify(decode_message(message.SerializeToString()))

    assert author.source == PeerId(message.from_id)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_advisory_18_a_forged_author_is_refused_whatever_key_comes_along(key_type):
    victim, forger = bytes(keys(key_type).peer_id), keys(key_type, "forger")
    own_key = forger.public_key.to_protobuf()
    for message in (
        stamped(forger, source=victim, key=own_key),
        stamped(forger, source=victim),
        stamped(forger, source=victim, key=keys(key_type).public_key.to_protobuf()),
    ):
        with pytest.raises(InvalidMessage):
            Verifier(STRICT).verify(message)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (lambda: decode_message(encode_message("topic", b"data")), "no signature"),
        (lambda: stamped(keys(), source=b"", key=keys().public_key.to_protobuf()), "no author"),
        (lambda: stamped(keys(), sequence=None), "no sequence number"),
        (lambda: stamped(keys(), sequence=bytes(9)), "sequence number of a wrong length"),
        (lambda: stamped(keys(), source=b"nobody"), "author is no peer id"),
        (lambda: stamped(keys(), signature=bytes(64)), "wrong signature"),
        (lambda: stamped(keys(), signature=bytes(5000)), "wrong signature"),
        (lambda: stamped(keys(), key=b"\x08\x01\x12\x84\xff\xff\xff\xff"), "unusable key"),
        (lambda: stamped(keys(), key=bytes(100_000)), "unusable key"),
        (lambda: stamped(keys("rsa")), "no key"),
        (lambda: stamped(keys(), key=keys("rsa").public_key.to_protobuf()), "key of somebody else"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_invalid_message_says_why(message, cause):
    verifier = Verifier(STRICT)
    for _ in range(2):  # nothing of it is remembered as good
        with pytest.raises(InvalidMessage) as caught:
            verifier.verify(message())
        assert caught.value.cause == cause


@given(st.data())
def test_no_byte_of_a_signed_message_can_be_changed(data):
    raw = bytearray(publish(data=b"some data").raw)
    index = data.draw(st.integers(0, len(raw) - 1))
    raw[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Exception, match=r"message|protobuf"):
        Verifier(STRICT).verify(decode_message(bytes(raw)))


def test_a_field_added_on_the_way_breaks_the_signature():
    with pytest.raises(InvalidMessage, match="wrong signature"):
        Verifier(STRICT).verify(decode_message(publish().raw + bytes_field(9, b"more")))


def test_strict_no_sign_sends_nothing_but_topic_and_data():
    message = publish(policy=ANONYMOUS)

    assert message.raw == encode_message("topic", b"hello")
    assert Verifier(ANONYMOUS).verify(message).source is None


@pytest.mark.parametrize("number", [1, 3, 5, 6])
@pytest.mark.parametrize("content", [b"", b"x"])
def test_strict_no_sign_refuses_every_field_about_the_author(number, content):
    named, plain = bytes_field(number, content), encode_message("topic", b"")
    raw = named + bytes_field(4, b"topic") if number < 4 else plain + named

    with pytest.raises(InvalidMessage, match="names its author"):
        Verifier(ANONYMOUS).verify(decode_message(raw))


@pytest.mark.parametrize("policy", LAX)
def test_lax_reading_takes_what_is_unsigned_and_no_wrong_signature(policy):
    verifier = Verifier(policy)

    assert verifier.verify(publish(policy=ANONYMOUS)).source is None
    assert verifier.verify(publish()).is_signed
    unsigned = decode_message(encode_message("topic", b"", bytes(keys().peer_id), bytes(8)))
    assert verifier.verify(unsigned).source == keys().peer_id
    assert not verifier.verify(unsigned).is_signed
    with pytest.raises(InvalidMessage, match="wrong signature"):
        verifier.verify(stamped(keys(), signature=bytes(64)))
    with pytest.raises(InvalidMessage, match="no peer id"):
        verifier.verify(decode_message(encode_message("topic", b"", b"nobody")))


def test_ids_are_those_of_the_other_implementations():
    signed, anonymous = publish(), publish(policy=ANONYMOUS)
    peer = keys().peer_id

    assert MESSAGE_IDS["go"](signed) == bytes(peer) + SEQUENCE.to_bytes(8, "big")
    assert MESSAGE_IDS["js"](signed) == bytes(peer)[2:] + SEQUENCE.to_bytes(8, "big")
    by_rsa = publish("rsa")
    assert MESSAGE_IDS["js"](by_rsa) == by_rsa.key + SEQUENCE.to_bytes(8, "big")
    assert MESSAGE_IDS["rust"](signed) == f"{peer}{SEQUENCE}".encode()
    assert MESSAGE_IDS["rust"](anonymous) == b"15R0"
    assert MESSAGE_IDS["data-hash"](anonymous) == hashlib.sha256(b"hello").digest()


@pytest.mark.parametrize("name", ["rust", "js"])
def test_a_nonsensical_author_has_no_id(name):
    with pytest.raises(MalformedMessage):
        MESSAGE_IDS[name](decode_message(encode_message("topic", b"", b"nobody")))


def test_an_author_without_a_key_has_no_id_as_js_makes_it():
    unsigned = decode_message(encode_message("topic", b"", bytes(keys("rsa").peer_id), bytes(8)))
    with pytest.raises(MalformedMessage):
        MESSAGE_IDS["js"](unsigned)
