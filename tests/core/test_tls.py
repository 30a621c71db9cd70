"""TLS 1.3 between two sides in memory: libp2p/specs, tls; advisories of 2019, 2022 and 2024."""

from __future__ import annotations

import gc
import hmac
import weakref
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

import anyio
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from peerloom._errors import HandshakeFailed, RecordError, WrongPeerId
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType
from peerloom._links import Role
from peerloom._security import Tls
from peerloom._security._certificate import make_certificate
from peerloom._security._tls import MAX_HANDSHAKE_BYTES, MAX_REPLY_BYTES, MAX_UNANSWERED_BYTES
from tests.core.certificate_kit import bad_recipes, build
from tests.core.security_kit import (
    ALICE,
    BOB,
    MALLORY,
    RUNTIME,
    YAMUX,
    Pair,
    deliver,
    drive,
    open_in_pieces,
    other,
    seal,
    shake,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from peerloom._links import RecordLayer
    from peerloom._security._tls import TlsHandshake
    from tests.core.certificate_kit import SigningKey

DIALER = Tls(ALICE, RUNTIME, [YAMUX])
LISTENER = Tls(BOB, RUNTIME, [YAMUX])
BAD_RECIPES = bad_recipes()
del BAD_RECIPES["own key of RSA 1024"]  # OpenSSL would not load it to show it


class NowRuntime:
    """The clock for which the bad certificates are made; all else is the system's."""

    random = RUNTIME.random
    secret_bytes = staticmethod(RUNTIME.secret_bytes)
    now = staticmethod(RUNTIME.now)
    offload = staticmethod(RUNTIME.offload)

    def wall_time(self) -> float:
        return 1_795_348_800.0  # certificate_kit.NOW


@pytest.fixture
def pair() -> Pair:
    return shake(DIALER, LISTENER)


class Stranger:
    """Plain OpenSSL in the place of a peer, with whatever certificates and protocols."""

    def __init__(
        self,
        role: Role,
        certificates: list[x509.Certificate],
        key: SigningKey | None = None,
        *,
        alpn: list[bytes] | None = None,
        version: int = SSL.TLS1_3_VERSION,
        secrets: dict[str, bytes] | None = None,
    ) -> None:
        method = SSL.TLS_CLIENT_METHOD if role is Role.DIALER else SSL.TLS_SERVER_METHOD
        context = SSL.Context(method)
        context.set_max_proto_version(version)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        if certificates and key is not None:
            context.use_certificate(certificates[0])
            context.use_privatekey(key)
        for further in certificates[1:]:
            context.add_extra_chain_cert(further)
        if alpn and role is Role.DIALER:
            context.set_alpn_protos(alpn)
        if alpn and role is Role.LISTENER:
            context.set_alpn_select_callback(lambda _connection, _offered: alpn[0])
        if secrets is not None:
            context.set_keylog_callback(lambda _connection, line: _note(secrets, line))
        self.context = context
        self.connection = SSL.Connection(context, None)
        if role is Role.DIALER:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()

    def step(self, data: bytes) -> bytes:
        if data:
            self.connection.bio_write(data)
        with suppress(SSL.WantReadError):
            self.connection.do_handshake()
        return self.out()

    def out(self) -> bytes:
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def meet(self, side: TlsHandshake) -> None:
        """Talk with one of our sides until one has no answer."""
        to_side, to_stranger = self.step(b""), side.step(b"")
        while to_side or to_stranger:
            to_stranger += side.step(to_side) if to_side and side.secured is None else b""
            to_side = self.step(to_stranger) if to_stranger else b""
            to_stranger = b""


def _note(secrets: dict[str, bytes], line: bytes) -> None:
    label, _, secret = line.decode().split()
    secrets[label] = bytes.fromhex(secret)


# The handshake


@pytest.mark.parametrize("chunk", [1, 7, 500, 65_536])
def test_both_sides_learn_who_the_other_is_however_the_bytes_arrive(chunk: int) -> None:
    pair = shake(DIALER, LISTENER, expected=BOB.peer_id, chunk=chunk)
    assert (pair.dialer.peer, pair.dialer.public_key) == (BOB.peer_id, BOB.public_key)
    assert (pair.listener.peer, pair.listener.public_key) == (ALICE.peer_id, ALICE.public_key)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_peers_of_every_key_type_meet(key_type: KeyType) -> None:
    other = Tls(KeyPair.generate(key_type), RUNTIME, [YAMUX])
    assert shake(DIALER, other).dialer.public_key.key_type == key_type
    assert shake(other, LISTENER).listener.public_key.key_type == key_type


def test_it_takes_one_round_trip_and_a_half() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    hello = dialer.step(b"")
    flight = listener.step(hello)
    finished = dialer.step(flight)
    assert dialer.secured is not None
    listener.step(finished)
    assert listener.secured is not None


def test_a_listener_learns_nothing_before_the_dialers_certificate() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    listener.step(dialer.step(b""))
    assert listener.secured is None


def test_the_muxer_is_agreed_on_in_the_handshake(pair: Pair) -> None:
    assert pair.dialer.muxer == pair.listener.muxer == YAMUX


def test_the_dialers_preferred_muxer_wins() -> None:
    dialer = Tls(ALICE, RUNTIME, ["/mplex/6.7.0", YAMUX])
    listener = Tls(BOB, RUNTIME, [YAMUX, "/mplex/6.7.0"])
    assert shake(dialer, listener).listener.muxer == "/mplex/6.7.0"


def test_a_side_that_offers_no_muxer_negotiates_it_later() -> None:
    plain = Tls(MALLORY, RUNTIME, [])
    for pair in (shake(DIALER, plain), shake(plain, LISTENER)):
        assert (pair.dialer.muxer, pair.listener.muxer) == (None, None)


def test_the_muxers_own_protocol_id_is_its_alpn_token() -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    stranger = Stranger(Role.DIALER, [certificate], key, alpn=[b"/yamux/1.0.0", b"libp2p"])
    listener = LISTENER.handshake(Role.LISTENER, None)
    stranger.meet(listener)
    assert stranger.connection.get_alpn_proto_negotiated() == b"/yamux/1.0.0"


def test_a_dialer_with_no_common_protocol_is_refused() -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    stranger = Stranger(Role.DIALER, [certificate], key, alpn=[b"h2"])
    listener = LISTENER.handshake(Role.LISTENER, None)
    with pytest.raises(HandshakeFailed, match="no common application protocol"):
        listener.step(stranger.step(b""))
    assert listener.alert
    with pytest.raises(SSL.Error, match="no application protocol"):
        stranger.step(listener.alert)


def test_a_dialer_without_alpn_negotiates_the_muxer_later() -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    listener = LISTENER.handshake(Role.LISTENER, None)
    Stranger(Role.DIALER, [certificate], key).meet(listener)
    assert listener.secured is not None
    assert listener.secured.muxer is None


def test_a_listener_that_chooses_what_was_not_offered_is_refused() -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    dialer = DIALER.handshake(Role.DIALER, None)
    with pytest.raises(HandshakeFailed, match="TLS: "):
        Stranger(Role.LISTENER, [certificate], key, alpn=[b"/mplex/6.7.0"]).meet(dialer)


def test_older_versions_of_tls_are_refused() -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    stranger = Stranger(Role.DIALER, [certificate], key, version=SSL.TLS1_2_VERSION)
    listener = LISTENER.handshake(Role.LISTENER, None)
    with pytest.raises(HandshakeFailed, match="unsupported protocol"):
        listener.step(stranger.step(b""))


def test_a_handshake_is_freed_at_once_whether_it_ended_or_not() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    finished, given_up = (LISTENER.handshake(Role.LISTENER, None) for _ in range(2))
    given_up.step(dialer.step(b""))
    drive(DIALER.handshake(Role.DIALER, None), finished)
    kept = [weakref.ref(finished), weakref.ref(given_up)]
    gc.disable()
    try:
        del finished, given_up
        assert [reference() for reference in kept] == [None, None]
    finally:
        gc.enable()


# Who is on the other side (GHSA-rch7-f4h5-x9rj, CVE-2022-24759, GHSA-5hq8-qhww-jm7q)


def test_somebody_else_at_the_address_is_a_wrong_peer_id() -> None:
    dialer = DIALER.handshake(Role.DIALER, MALLORY.peer_id)
    listener = LISTENER.handshake(Role.LISTENER, None)
    flight = listener.step(dialer.step(b""))
    with pytest.raises(WrongPeerId) as caught:
        dialer.step(flight)
    assert (caught.value.expected, caught.value.actual) == (MALLORY.peer_id, BOB.peer_id)
    assert dialer.secured is None
    with pytest.raises(HandshakeFailed, match=r"TLS: .*alert"):
        listener.step(dialer.alert)


def test_a_listener_can_expect_a_peer_as_hole_punching_does() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, MALLORY.peer_id)
    with pytest.raises(WrongPeerId):
        drive(dialer, listener)
    # The dialer is done by now; it hears of the refusal with its first bytes.
    assert dialer.secured is not None
    with pytest.raises(RecordError, match="alert"):
        dialer.secured.records.open(listener.alert)


def test_a_dialer_without_a_certificate_is_refused() -> None:
    stranger = Stranger(Role.DIALER, [])
    listener = LISTENER.handshake(Role.LISTENER, None)
    with pytest.raises(HandshakeFailed, match="did not return a certificate"):
        stranger.meet(listener)
    assert listener.secured is None
    assert listener.alert


@pytest.mark.parametrize("role", list(Role))
def test_two_certificates_are_refused(role: Role) -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    second, _ = make_certificate(BOB, RUNTIME)
    stranger = Stranger(role, [certificate, second], key)
    ours = DIALER if role is Role.LISTENER else LISTENER
    side = ours.handshake(other(role), None)
    with pytest.raises(HandshakeFailed, match="more than one certificate"):
        stranger.meet(side)
    assert side.secured is None
    assert side.alert == b""


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", BAD_RECIPES)
def test_a_bad_certificate_ends_the_handshake(name: str, role: Role) -> None:
    recipe, reason = BAD_RECIPES[name]
    ours = Tls(ALICE, NowRuntime(), [YAMUX])
    stranger = Stranger(role, [build(recipe)], recipe.key)
    side = ours.handshake(other(role), None)
    with pytest.raises(HandshakeFailed, match=reason):
        stranger.meet(side)
    assert side.secured is None
    assert side.alert


@given(st.binary(min_size=1, max_size=400))
@settings(max_examples=100, deadline=None)
def test_garbage_ends_a_handshake_or_waits_for_more(data: bytes) -> None:
    for tls, role in ((DIALER, Role.DIALER), (LISTENER, Role.LISTENER)):
        side = tls.handshake(role, None)
        side.step(b"")
        with suppress(HandshakeFailed):
            side.step(data)
        assert side.secured is None


@given(st.integers(0, 100_000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_in_a_flight_deceives_nobody(position: int, value: int) -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    flight = bytearray(listener.step(dialer.step(b"")))
    flight[position % len(flight)] ^= value
    try:
        listener.step(dialer.step(bytes(flight)))
    except HandshakeFailed:
        return
    # Record headers before the keys are the one thing that TLS does not authenticate.
    assert dialer.secured is None or dialer.secured.peer == BOB.peer_id
    assert listener.secured is None or listener.secured.peer == ALICE.peer_id


def test_a_handshake_that_never_ends_is_cut_off() -> None:
    listener = LISTENER.handshake(Role.LISTENER, None)
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + bytes(16_380)
    with pytest.raises(HandshakeFailed):
        feed_for_ever(listener, record, 2 * MAX_HANDSHAKE_BYTES)


def feed_for_ever(side: TlsHandshake, record: bytes, size: int) -> None:
    for _ in range(size // len(record)):
        side.step(record)


# Records


def test_data_goes_both_ways_in_any_size(pair: Pair) -> None:
    for size in (1, 16_384, 16_385, 131_072, 1_000_003):
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        for sender, receiver in (pair, (pair.listener, pair.dialer)):
            assert open_in_pieces(receiver.records, seal(sender, data), []) == data


def test_nothing_makes_no_record(pair: Pair) -> None:
    assert seal(pair.dialer, b"") == b""
    assert pair.listener.records.open(b"") == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_sealed(pair: Pair, kind: type) -> None:
    sealed = seal(pair.dialer, kind(b"some data"))
    assert pair.listener.records.open(sealed) == [b"some data"]


@given(st.lists(st.binary(max_size=40_000), max_size=5), st.lists(st.integers(1, 20_000)))
@settings(max_examples=40, deadline=None)
def test_any_split_of_the_bytes_gives_the_same_data(
    messages: list[bytes], sizes: list[int]
) -> None:
    pair = shake(DIALER, LISTENER)
    sealed = b"".join(seal(pair.dialer, message) for message in messages)
    assert open_in_pieces(pair.listener.records, sealed, sizes) == b"".join(messages)


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
    assert listener.secured.records.open(rest[9:]) == [b"cut in two"]
    assert dialer.secured.records.open(tickets) == []


def test_a_goodbye_right_behind_the_handshake_is_heard_later() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    finished = dialer.step(listener.step(dialer.step(b"")))
    assert dialer.secured is not None
    listener.step(finished + dialer.secured.records.finish())
    assert listener.secured is not None
    assert listener.secured.early_data == []
    with pytest.raises(anyio.EndOfStream):
        listener.secured.records.open(b"")


def test_a_goodbye_is_a_clean_end_behind_the_data_before_it(pair: Pair) -> None:
    sealed = seal(pair.dialer, b"last words") + pair.dialer.records.finish()
    assert pair.listener.records.open(sealed) == [b"last words"]
    with pytest.raises(anyio.EndOfStream):
        pair.listener.records.open(b"")
    pair.listener.records.end_of_input()


def test_the_other_direction_works_on_after_a_goodbye(pair: Pair) -> None:
    with pytest.raises(anyio.EndOfStream):
        pair.listener.records.open(pair.dialer.records.finish())
    answer = seal(pair.listener, b"answer")
    assert pair.dialer.records.open(answer) == [b"answer"]


def test_an_end_without_a_goodbye_is_a_record_error(pair: Pair) -> None:
    with pytest.raises(RecordError, match="without close_notify"):
        pair.listener.records.end_of_input()
    assert pair.listener.records.open(seal(pair.dialer, b"half a record")[:9]) == []
    with pytest.raises(RecordError, match="without close_notify"):
        pair.listener.records.end_of_input()


def test_a_tampered_record_ends_the_link_and_the_alert_says_so(pair: Pair) -> None:
    sealed = bytearray(seal(pair.dialer, b"some data"))
    sealed[-1] ^= 1
    with pytest.raises(RecordError, match=r"TLS: .*bad record mac"):
        pair.listener.records.open(bytes(sealed))
    with pytest.raises(RecordError):
        pair.listener.records.open(seal(pair.dialer, b"more"))
    with pytest.raises(RecordError):
        pair.listener.records.end_of_input()
    with pytest.raises(RecordError, match="alert"):
        pair.dialer.records.open(pair.listener.records.finish())


def test_a_replayed_record_is_a_record_error(pair: Pair) -> None:
    sealed = seal(pair.dialer, b"some data")
    pair.listener.records.open(sealed)
    with pytest.raises(RecordError):
        pair.listener.records.open(sealed)


def test_sealing_on_a_broken_link_is_a_record_error(pair: Pair) -> None:
    with pytest.raises(RecordError):
        pair.listener.records.open(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(RecordError):
        seal(pair.listener, b"data")


# A flood of key updates, which OpenSSL answers by itself


def test_a_flood_of_key_updates_cannot_pile_up_answers() -> None:
    secrets: dict[str, bytes] = {}
    certificate, key = make_certificate(MALLORY, RUNTIME)
    stranger = Stranger(Role.DIALER, [certificate], key, secrets=secrets)
    listener = LISTENER.handshake(Role.LISTENER, None)
    stranger.meet(listener)
    assert listener.secured is not None
    records = listener.secured.records
    flood = key_updates(secrets["CLIENT_TRAFFIC_SECRET_0"])
    with pytest.raises(RecordError, match="flood of key updates"):
        drown(records, flood, 8 << 20)
    assert len(records.finish()) <= MAX_UNANSWERED_BYTES + MAX_REPLY_BYTES


def drown(records: RecordLayer, flood: Iterator[bytes], size: int) -> None:
    while size > 0:
        piece = b"".join(islice(flood, 1000))
        records.open(piece)
        size -= len(piece)


def key_updates(secret: bytes) -> Iterator[bytes]:
    while True:
        yield key_update(secret)
        secret = expand(secret, b"traffic upd", 32)


def key_update(secret: bytes) -> bytes:
    """The first record under a traffic secret: KeyUpdate(update_requested)."""
    plain = b"\x18\x00\x00\x01\x01" + b"\x16"
    head = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
    cipher = AESGCM(expand(secret, b"key", 16))
    return head + cipher.encrypt(expand(secret, b"iv", 12), plain, head)


def expand(secret: bytes, label: bytes, length: int) -> bytes:
    """RFC 8446, HKDF-Expand-Label with an empty context, for at most one block."""
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0" + b"\1"
    return hmac.new(secret, info, sha256).digest()[:length]


def test_tickets_are_never_accepted_in_place_of_a_certificate() -> None:
    certificate, key = make_certificate(MALLORY, RUNTIME)
    stranger = Stranger(Role.DIALER, [certificate], key)
    listener = LISTENER.handshake(Role.LISTENER, None)
    stranger.meet(listener)
    session = stranger.connection.get_session()
    assert session is not None
    again = SSL.Connection(stranger.context, None)
    again.set_connect_state()
    again.set_session(session)
    stranger.connection = again
    second = LISTENER.handshake(Role.LISTENER, None)
    stranger.meet(second)
    assert second.secured is not None
    assert second.secured.peer == MALLORY.peer_id
    assert deliver(second, b"") == b""
