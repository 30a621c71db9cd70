"""TLS 1.3 between two sides in memory: libp2p/specs, tls; advisories of 2019, 2022 and 2024."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from peerloom._errors import HandshakeFailed, RecordError, WrongPeerId
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType
from peerloom._links import Role
from peerloom._security import Tls
from peerloom._security._certificate import make_certificate
from peerloom._security._tls import MAX_HANDSHAKE_BYTES
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
    opened,
    other,
    shake,
)
from tests.core.tls_stranger import Stranger

if TYPE_CHECKING:
    from peerloom._security._tls import TlsHandshake

DIALER = Tls(ALICE, RUNTIME, [YAMUX])
LISTENER = Tls(BOB, RUNTIME, [YAMUX])
BAD_RECIPES = bad_recipes()
del BAD_RECIPES["own key of RSA 1024"]  # OpenSSL would not load it to show it


@pytest.fixture
def pair() -> Pair:
    return shake(DIALER, LISTENER)


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
        opened(dialer.secured.records, listener.alert)


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
    ours = Tls(ALICE, RUNTIME, [YAMUX])
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
