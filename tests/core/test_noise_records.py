"""Noise records: libp2p/specs, noise, and advisory GHSA-g9mp-8g3h-3c5c."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom._errors import HandshakeFailed, RecordError
from peerloom._links import Role
from peerloom._security import Noise
from peerloom._security import _noise_records as noise_records
from peerloom._security._noise_records import MAX_NONCE, NoiseRecords
from tests.core.security_kit import (
    ALICE,
    BOB,
    RUNTIME,
    YAMUX,
    Pair,
    open_in_pieces,
    opened,
    seal,
    shake,
)

DIALER = Noise(ALICE, RUNTIME, [YAMUX])
LISTENER = Noise(BOB, RUNTIME, [YAMUX])
TAG_BYTES = BLOCK_BYTES = 16  # of Poly1305


@pytest.fixture
def pair() -> Pair:
    return shake(DIALER, LISTENER)


def test_data_goes_both_ways_in_any_size(pair: Pair) -> None:
    for size in (1, 65_408, 65_409, 131_072, 1_000_003):
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        for sender, receiver in (pair, (pair.listener, pair.dialer)):
            sealed = seal(sender, data)
            assert open_in_pieces(receiver.records, sealed, []) == data


def test_nothing_makes_no_record(pair: Pair) -> None:
    assert seal(pair.dialer, b"") == b""
    assert opened(pair.listener.records, b"") == b""


def test_the_largest_record_that_others_may_send_is_opened() -> None:
    data = bytes(65_519)
    body = ChaCha20Poly1305(bytes(32)).encrypt(bytes(12), data, None)
    receiver = NoiseRecords(bytes(32), bytes(32))
    assert open_in_pieces(receiver, b"\xff\xff" + body, [1, 1, 40_000]) == data


def test_a_full_record_is_one_that_openssl_seals_eight_blocks_at_a_time() -> None:
    sealed = NoiseRecords(bytes(32), bytes(32)).seal([bytes(200_000)])
    blocks, rest = divmod(int.from_bytes(sealed[:2], "big") - TAG_BYTES, BLOCK_BYTES)
    assert blocks > 4_000
    assert (blocks % 8, rest) == (0, 0)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_sealed(pair: Pair, kind: type) -> None:
    sealed = seal(pair.dialer, kind(b"some data"))
    assert opened(pair.listener.records, bytes(sealed)) == b"some data"


@given(
    st.lists(st.binary(max_size=200_000), max_size=4),
    st.lists(st.integers(0, 70_000), max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_any_split_of_the_bytes_gives_the_same_data(
    messages: list[bytes], sizes: list[int]
) -> None:
    sender, receiver = NoiseRecords(bytes(32), bytes(32)), NoiseRecords(bytes(32), bytes(32))
    sealed = b"".join(bytes(sender.seal([message])) for message in messages)
    assert open_in_pieces(receiver, sealed, sizes) == b"".join(messages)
    receiver.end_of_input()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 3), max_size=200))
def test_any_split_into_single_bytes_gives_the_same_data(
    messages: list[bytes], sizes: list[int]
) -> None:
    sender, receiver = NoiseRecords(bytes(32), bytes(32)), NoiseRecords(bytes(32), bytes(32))
    sealed = b"".join(bytes(sender.seal([message])) for message in messages)
    assert open_in_pieces(receiver, sealed, sizes) == b"".join(messages)


def test_empty_records_are_passed_over(pair: Pair) -> None:
    sender, receiver = NoiseRecords(bytes(32), bytes(32)), NoiseRecords(bytes(32), bytes(32))
    empty = bytes(sender._sender.encrypt(bytes(12), b"", None))
    sender._sent = 1
    sealed = b"\0\x10" + empty + sender.seal([b"data"])
    assert opened(receiver, bytes(sealed)) == b"data"


def test_older_cryptography_gives_the_same_records(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = NoiseRecords(bytes(32), bytes(32)).seal([bytes(100_000)])
    monkeypatch.setattr(noise_records, "_encrypt", noise_records.encrypt_and_copy)
    assert NoiseRecords(bytes(32), bytes(32)).seal([bytes(100_000)]) == fast


def test_data_right_behind_the_handshake_is_early_data() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    last = dialer.step(listener.step(dialer.step(b"")))
    assert dialer.secured is not None
    first = seal(dialer.secured, b"first words")
    rest = seal(dialer.secured, b"cut in two")
    listener.step(bytes(last + first + rest[:9]))
    assert listener.secured is not None
    assert listener.secured.early_data == [b"first words"]
    assert opened(listener.secured.records, rest[9:]) == b"cut in two"


def test_garbage_right_behind_the_handshake_fails_it() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    last = dialer.step(listener.step(dialer.step(b"")))
    with pytest.raises(HandshakeFailed, match="behind the handshake"):
        listener.step(last + b"\x00\x10" + bytes(16))
    assert listener.secured is None


def test_an_end_inside_a_record_is_a_record_error(pair: Pair) -> None:
    pair.listener.records.end_of_input()
    sealed = seal(pair.dialer, b"some data")
    assert opened(pair.listener.records, sealed[:-1]) == b""
    with pytest.raises(RecordError, match="cut short"):
        pair.listener.records.end_of_input()


def test_noise_says_no_goodbye(pair: Pair) -> None:
    assert pair.dialer.records.finish() == b""


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 255))
def test_a_tampered_record_ends_the_link_for_good(position: int, value: int) -> None:
    sender, receiver = NoiseRecords(bytes(32), bytes(32)), NoiseRecords(bytes(32), bytes(32))
    good, follows = bytes(sender.seal([b"some data"])), bytes(sender.seal([b"more"]))
    bad = bytearray(good)
    bad[2 + position % (len(bad) - 2)] ^= value
    with pytest.raises(RecordError, match="record 0 was tampered with"):
        opened(receiver, bytes(bad))
    for later in (good, follows):
        with pytest.raises(RecordError, match="record 0 was tampered with"):
            opened(receiver, later)


def test_a_replayed_or_left_out_record_is_a_record_error() -> None:
    sender, receiver = NoiseRecords(bytes(32), bytes(32)), NoiseRecords(bytes(32), bytes(32))
    first, second = bytes(sender.seal([b"first"])), bytes(sender.seal([b"second"]))
    with pytest.raises(RecordError):
        opened(NoiseRecords(bytes(32), bytes(32)), second)
    opened(receiver, first)
    with pytest.raises(RecordError):
        opened(receiver, first)


def test_a_record_shorter_than_its_tag_is_a_record_error(pair: Pair) -> None:
    for body in (b"\0\0", b"\0\x0f" + bytes(15)):
        with pytest.raises(RecordError):
            opened(NoiseRecords(bytes(32), bytes(32)), body)


def test_the_last_nonce_is_never_used() -> None:
    sender, receiver = NoiseRecords(bytes(32), bytes(32)), NoiseRecords(bytes(32), bytes(32))
    sender._sent = receiver._received = MAX_NONCE - 1
    assert opened(receiver, bytes(sender.seal([b"the last record"]))) == b"the last record"
    with pytest.raises(RecordError, match="used up its nonces"):
        sender.seal([b"one too many"])
    sender._sent = 5
    with pytest.raises(RecordError, match="used up its nonces"):
        opened(receiver, bytes(sender.seal([b"one too many"])))


def test_a_write_that_would_pass_the_last_nonce_sends_nothing() -> None:
    sender = NoiseRecords(bytes(32), bytes(32))
    sender._sent = MAX_NONCE - 1
    with pytest.raises(RecordError):
        sender.seal([bytes(65_520)])
    assert sender._sent == MAX_NONCE - 1
