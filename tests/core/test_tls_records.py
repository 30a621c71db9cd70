"""TLS records between two sides in memory: libp2p/specs, tls."""

from __future__ import annotations

import hmac
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from peerloom._errors import RecordError
from peerloom._links import Role
from peerloom._security import Tls
from peerloom._security._certificate import make_certificate
from peerloom._security._openssl_records import RECORDS_A_PIECE
from peerloom._security._tls import MAX_REPLY_BYTES, MAX_UNANSWERED_BYTES, PIECE_BYTES
from tests.core.security_kit import (
    ALICE,
    BOB,
    MALLORY,
    RUNTIME,
    YAMUX,
    Pair,
    open_in_pieces,
    opened,
    seal,
    shake,
)
from tests.core.tls_stranger import Stranger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom._links import Buffer, RecordLayer

DIALER = Tls(ALICE, RUNTIME, [YAMUX])
LISTENER = Tls(BOB, RUNTIME, [YAMUX])


@pytest.fixture
def pair() -> Pair:
    return shake(DIALER, LISTENER)


def test_data_goes_both_ways_in_any_size(pair: Pair) -> None:
    for size in (1, 16_384, 16_385, 131_072, 1_000_003):
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        for sender, receiver in (pair, (pair.listener, pair.dialer)):
            assert open_in_pieces(receiver.records, seal(sender, data), []) == data


def test_nothing_makes_no_record(pair: Pair) -> None:
    assert seal(pair.dialer, b"") == b""
    assert opened(pair.listener.records, b"") == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_sealed(pair: Pair, kind: type) -> None:
    sealed = seal(pair.dialer, kind(b"some data"))
    assert opened(pair.listener.records, sealed) == b"some data"


@given(st.lists(st.binary(max_size=40_000), max_size=5), st.lists(st.integers(1, 20_000)))
@settings(max_examples=40, deadline=None)
def test_any_split_of_the_bytes_gives_the_same_data(
    messages: list[bytes], sizes: list[int]
) -> None:
    pair = shake(DIALER, LISTENER)
    sealed = b"".join(seal(pair.dialer, message) for message in messages)
    assert open_in_pieces(pair.listener.records, sealed, sizes) == b"".join(messages)


def test_many_small_records_come_in_pieces(pair: Pair) -> None:
    sealed = b"".join(seal(pair.dialer, b"x") for _ in range(2 * RECORDS_A_PIECE + 1))
    sizes = [len(piece) for piece in pair.listener.records.open(sealed) if piece]
    assert sizes == [RECORDS_A_PIECE, RECORDS_A_PIECE, 1]


def test_large_pieces_and_small_ones_between_them_keep_their_order(pair: Pair) -> None:
    pieces: list[Buffer] = [
        b"head",
        bytes(100_000),
        memoryview(b"middle"),
        bytearray(40_000),
        b"tail",
        b".",
    ]
    sealed = bytes(pair.dialer.records.seal(pieces))
    assert opened(pair.listener.records, sealed) == b"".join(pieces)


def test_data_right_behind_the_handshake_is_early_data() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    finished = dialer.step(listener.step(dialer.step(b"")))
    assert dialer.secured is not None
    first = seal(dialer.secured, b"first words")
    rest = seal(dialer.secured, b"cut in two")
    tickets = listener.step(finished + first + rest[:9])
    assert listener.secured is not None
    assert listener.secured.early_data == [b"first words"]
    assert opened(listener.secured.records, rest[9:]) == b"cut in two"
    assert opened(dialer.secured.records, tickets) == b""


def test_a_goodbye_right_behind_the_handshake_is_heard_later() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    finished = dialer.step(listener.step(dialer.step(b"")))
    assert dialer.secured is not None
    listener.step(finished + dialer.secured.records.finish())
    assert listener.secured is not None
    assert listener.secured.early_data == []
    with pytest.raises(anyio.EndOfStream):
        opened(listener.secured.records, b"")


def test_a_goodbye_is_a_clean_end_behind_the_data_before_it(pair: Pair) -> None:
    sealed = seal(pair.dialer, b"last words") + pair.dialer.records.finish()
    assert opened(pair.listener.records, sealed) == b"last words"
    with pytest.raises(anyio.EndOfStream):
        opened(pair.listener.records, b"")
    pair.listener.records.end_of_input()


def test_the_other_direction_works_on_after_a_goodbye(pair: Pair) -> None:
    with pytest.raises(anyio.EndOfStream):
        opened(pair.listener.records, pair.dialer.records.finish())
    answer = seal(pair.listener, b"answer")
    assert opened(pair.dialer.records, answer) == b"answer"


def test_an_end_without_a_goodbye_is_a_record_error(pair: Pair) -> None:
    with pytest.raises(RecordError, match="without close_notify"):
        pair.listener.records.end_of_input()
    assert opened(pair.listener.records, seal(pair.dialer, b"half a record")[:9]) == b""
    with pytest.raises(RecordError, match="without close_notify"):
        pair.listener.records.end_of_input()


def test_a_tampered_record_ends_the_link_and_the_alert_says_so(pair: Pair) -> None:
    sealed = bytearray(seal(pair.dialer, b"some data"))
    sealed[-1] ^= 1
    with pytest.raises(RecordError, match=r"TLS: .*bad record mac"):
        opened(pair.listener.records, bytes(sealed))
    with pytest.raises(RecordError):
        opened(pair.listener.records, seal(pair.dialer, b"more"))
    with pytest.raises(RecordError):
        pair.listener.records.end_of_input()
    with pytest.raises(RecordError, match="alert"):
        opened(pair.dialer.records, pair.listener.records.finish())


def test_a_tampered_record_behind_good_ones_concerns_this_link_alone(pair: Pair) -> None:
    tampered = bytearray(seal(pair.dialer, b"first") + seal(pair.dialer, b"second"))
    tampered[-1] ^= 1
    pieces = pair.listener.records.open(bytes(tampered))
    assert next(pieces) == b"first"
    with pytest.raises(RecordError, match=r"TLS: .*bad record mac"):
        seal(pair.listener, b"meanwhile")
    elsewhere = shake(DIALER, LISTENER)
    assert opened(elsewhere.listener.records, seal(elsewhere.dialer, b"word")) == b"word"
    with pytest.raises(RecordError, match=r"TLS: .*bad record mac"):
        next(pieces)


def test_a_replayed_record_is_a_record_error(pair: Pair) -> None:
    sealed = seal(pair.dialer, b"some data")
    opened(pair.listener.records, sealed)
    with pytest.raises(RecordError):
        opened(pair.listener.records, sealed)


def test_sealing_on_a_broken_link_is_a_record_error(pair: Pair) -> None:
    with pytest.raises(RecordError):
        opened(pair.listener.records, b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(RecordError):
        seal(pair.listener, b"data")


# A flood of key updates, which OpenSSL answers by itself

WANTS_ANSWER, KEEPS_SILENT = b"\1", b"\0"  # update_requested, update_not_requested


def test_a_flood_of_key_updates_cannot_pile_up_answers() -> None:
    _, records, flood = flooded()
    with pytest.raises(RecordError, match="flood of key updates"):
        drown(records, flood, 8 << 20)
    assert len(records.finish()) <= MAX_UNANSWERED_BYTES + MAX_REPLY_BYTES


def test_what_is_said_behind_many_answers_comes_behind_them() -> None:
    stranger, records, flood = flooded()
    opened(records, b"".join(islice(flood, 200)))
    for data in (b"x", b"y"):
        sealed = records.seal([data])
        stranger.connection.bio_write(sealed)
        assert stranger.connection.recv(100) == data
    assert len(sealed) < 50


def test_key_updates_that_want_no_answer_come_in_pieces_as_well() -> None:
    _, records, flood = flooded(KEEPS_SILENT)
    sealed = b"".join(islice(flood, 10_000))
    assert [*records.open(sealed)] == [b""] * -(-len(sealed) // PIECE_BYTES)


def flooded(answer: bytes = WANTS_ANSWER) -> tuple[Stranger, RecordLayer, Iterator[bytes]]:
    secrets: dict[str, bytes] = {}
    certificate, key = make_certificate(MALLORY, RUNTIME)
    stranger = Stranger(Role.DIALER, [certificate], key, secrets=secrets)
    listener = LISTENER.handshake(Role.LISTENER, None)
    stranger.meet(listener)
    assert listener.secured is not None
    return (
        stranger,
        listener.secured.records,
        key_updates(secrets["CLIENT_TRAFFIC_SECRET_0"], answer),
    )


def drown(records: RecordLayer, flood: Iterator[bytes], size: int) -> None:
    while size > 0:
        piece = b"".join(islice(flood, 1000))
        opened(records, piece)
        size -= len(piece)


def key_updates(secret: bytes, answer: bytes) -> Iterator[bytes]:
    while True:
        yield key_update(secret, answer)
        secret = expand(secret, b"traffic upd", 32)


def key_update(secret: bytes, answer: bytes) -> bytes:
    """The first record under a traffic secret: a KeyUpdate."""
    plain = b"\x18\x00\x00\x01" + answer + b"\x16"
    head = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
    cipher = AESGCM(expand(secret, b"key", 16))
    return head + cipher.encrypt(expand(secret, b"iv", 12), plain, head)


def expand(secret: bytes, label: bytes, length: int) -> bytes:
    """RFC 8446, HKDF-Expand-Label with an empty context, for at most one block."""
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0" + b"\1"
    return hmac.new(secret, info, sha256).digest()[:length]


def _blame() -> None:
    """Leave an error in the thread's queue, as code that uses OpenSSL beside us may."""
    library: Any = SSL._lib  # type: ignore[attr-defined]
    library.ERR_put_error(20, 0, 100, b"elsewhere.c", 1)


@pytest.mark.parametrize("size", [1, 1000, 100_000, 3_000_000])
def test_errors_that_others_leave_in_openssls_queue_harm_no_records(pair: Pair, size: int) -> None:
    for _ in range(3):
        _blame()
        sealed = seal(pair.dialer, bytes(size))
        heard = 0
        _blame()
        for piece in pair.listener.records.open(bytes(sealed)):
            heard += len(piece)
            _blame()
        assert heard == size
    _blame()
    farewell = pair.dialer.records.finish()
    _blame()
    with pytest.raises(anyio.EndOfStream):
        opened(pair.listener.records, farewell)
