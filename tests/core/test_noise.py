"""Noise between two sides in memory: libp2p/specs, noise; CVE-2022-24759, GHSA-g9mp-8g3h-3c5c."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom._errors import HandshakeFailed, RecordError, WrongPeerId
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType
from peerloom._links import Role
from peerloom._security import Noise
from peerloom._security._noise import MAX_MESSAGE_BYTES
from tests.core.security_kit import (
    ALICE,
    BOB,
    LIES,
    MALLORY,
    RUNTIME,
    YAMUX,
    Pair,
    drive,
    opened,
    other,
    seal,
    shake,
    with_payload,
)

DIALER = Noise(ALICE, RUNTIME, [YAMUX])
LISTENER = Noise(BOB, RUNTIME, [YAMUX])
MPLEX = "/mplex/6.7.0"


@pytest.fixture
def pair() -> Pair:
    return shake(DIALER, LISTENER)


# The handshake


@pytest.mark.parametrize("chunk", [1, 2, 3, 100, 65_536])
def test_both_sides_learn_who_the_other_is_however_the_bytes_arrive(chunk: int) -> None:
    pair = shake(DIALER, LISTENER, expected=BOB.peer_id, chunk=chunk)
    assert (pair.dialer.peer, pair.dialer.public_key) == (BOB.peer_id, BOB.public_key)
    assert (pair.listener.peer, pair.listener.public_key) == (ALICE.peer_id, ALICE.public_key)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_peers_of_every_key_type_meet(key_type: KeyType) -> None:
    other = Noise(KeyPair.generate(key_type), RUNTIME, [YAMUX])
    assert shake(DIALER, other).dialer.public_key.key_type == key_type
    assert shake(other, LISTENER).listener.public_key.key_type == key_type


def test_it_takes_one_round_trip_and_a_half() -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    assert listener.step(b"") == b""
    first = dialer.step(b"")
    assert len(first) == 2 + 32
    last = dialer.step(listener.step(first))
    assert dialer.secured is not None
    assert listener.secured is None
    assert listener.step(last) == b""
    assert listener.secured is not None


def test_each_handshake_has_keys_of_its_own(pair: Pair) -> None:
    other = shake(DIALER, LISTENER)
    with pytest.raises(RecordError):
        opened(other.listener.records, seal(pair.dialer, b"data"))


def test_the_muxer_is_agreed_on_in_the_handshake(pair: Pair) -> None:
    assert pair.dialer.muxer == pair.listener.muxer == YAMUX


def test_the_dialers_preferred_muxer_wins() -> None:
    dialer = Noise(ALICE, RUNTIME, [YAMUX, MPLEX])
    listener = Noise(BOB, RUNTIME, [MPLEX, YAMUX])
    pair = shake(dialer, listener)
    assert (pair.dialer.muxer, pair.listener.muxer) == (YAMUX, YAMUX)
    pair = shake(listener, dialer)
    assert (pair.dialer.muxer, pair.listener.muxer) == (MPLEX, MPLEX)


def test_a_side_that_offers_no_muxer_negotiates_it_later() -> None:
    plain = Noise(MALLORY, RUNTIME, [])
    for pair in (shake(DIALER, plain), shake(plain, LISTENER)):
        assert (pair.dialer.muxer, pair.listener.muxer) == (None, None)


def test_no_common_muxer_ends_the_handshake() -> None:
    with pytest.raises(HandshakeFailed, match="no common muxer"):
        shake(DIALER, Noise(BOB, RUNTIME, [MPLEX]))


def test_a_payload_without_extensions_is_understood_as_older_peers_send_it() -> None:
    old = with_payload(lambda message: message.ClearField("extensions"))
    assert shake(old, LISTENER).listener.muxer is None
    assert shake(DIALER, old).dialer.peer == MALLORY.peer_id


# Who is on the other side


def test_somebody_else_at_the_address_is_a_wrong_peer_id() -> None:
    dialer = DIALER.handshake(Role.DIALER, MALLORY.peer_id)
    with pytest.raises(WrongPeerId) as caught:
        drive(dialer, LISTENER.handshake(Role.LISTENER, None))
    assert (caught.value.expected, caught.value.actual) == (MALLORY.peer_id, BOB.peer_id)
    assert dialer.secured is None


def test_a_listener_can_expect_a_peer_as_hole_punching_does() -> None:
    listener = LISTENER.handshake(Role.LISTENER, MALLORY.peer_id)
    with pytest.raises(WrongPeerId):
        drive(DIALER.handshake(Role.DIALER, None), listener)
    assert listener.secured is None


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_the_identity_ends_the_handshake(lie: str, role: Role) -> None:
    liar = with_payload(LIES[lie])
    ours = other(role)
    sides = {role: liar.handshake(role, None), ours: DIALER.handshake(ours, None)}
    with pytest.raises(HandshakeFailed, match="Noise: "):
        drive(sides[Role.DIALER], sides[Role.LISTENER])
    assert sides[ours].secured is None
    assert sides[ours].alert == b""


def test_a_payload_that_is_no_protobuf_ends_the_handshake() -> None:
    liar = Noise(MALLORY, RUNTIME, [YAMUX])
    liar.payload = b"\xff" * 40
    with pytest.raises(HandshakeFailed, match="no usable identity"):
        shake(DIALER, liar)


def test_an_overlong_handshake_message_is_refused_before_it_is_buffered() -> None:
    listener = LISTENER.handshake(Role.LISTENER, None)
    with pytest.raises(HandshakeFailed, match="handshake message of"):
        listener.step((MAX_MESSAGE_BYTES + 1).to_bytes(2, "big"))


def test_an_ephemeral_key_of_low_order_is_refused() -> None:
    listener = LISTENER.handshake(Role.LISTENER, None)
    with pytest.raises(HandshakeFailed):
        listener.step(b"\x00\x20" + bytes(32))


@given(st.binary(min_size=2, max_size=300))
@settings(max_examples=100, deadline=None)
def test_garbage_ends_a_handshake_or_waits_for_more(data: bytes) -> None:
    for noise, role in ((DIALER, Role.DIALER), (LISTENER, Role.LISTENER)):
        side = noise.handshake(role, None)
        side.step(b"")
        with suppress(HandshakeFailed):
            side.step(data)
        assert side.secured is None


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_in_a_message_secures_nobody(position: int, value: int) -> None:
    dialer = DIALER.handshake(Role.DIALER, None)
    listener = LISTENER.handshake(Role.LISTENER, None)
    message = bytearray(listener.step(dialer.step(b"")))
    message[position % len(message)] ^= value
    with suppress(HandshakeFailed):
        dialer.step(bytes(message))
    assert dialer.secured is None


# py-libp2p's own implementation


class Pipe:
    """What py-libp2p reads from and writes to."""

    def __init__(self) -> None:
        self.outgoing = bytearray()
        self._incoming = bytearray()
        self._arrived = anyio.Event()

    def feed(self, data: bytes) -> None:
        self._incoming += data
        self._arrived.set()
        self._arrived = anyio.Event()

    async def read(self, size: int | None = None) -> bytes:
        while not self._incoming:
            await self._arrived.wait()
        size = len(self._incoming) if size is None else size
        data = bytes(self._incoming[:size])
        del self._incoming[:size]
        return data

    async def write(self, data: bytes) -> None:
        self.outgoing += data

    async def close(self) -> None:
        pass

    def get_remote_address(self) -> None:
        return None


def their_pattern() -> Any:
    from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: PLC0415 - slow import
    from libp2p.crypto.x25519 import create_new_key_pair as noise_pair  # noqa: PLC0415
    from libp2p.peer.id import ID  # noqa: PLC0415
    from libp2p.security.noise.patterns import PatternXX  # noqa: PLC0415

    key_pair = create_new_key_pair()
    return PatternXX(
        local_peer=ID.from_pubkey(key_pair.public_key),
        libp2p_privkey=key_pair.private_key,
        noise_static_key=noise_pair().private_key,
    )


@pytest.mark.parametrize("role", list(Role))
async def test_we_and_py_libp2p_meet_and_exchange_records(role: Role) -> None:
    from libp2p.peer.id import ID  # noqa: PLC0415 - slow import

    pattern, pipe = their_pattern(), Pipe()
    ours = LISTENER.handshake(role, None)
    sessions: list[Any] = []

    async def run_theirs() -> None:
        if role is Role.LISTENER:
            peer = ID(bytes(BOB.peer_id))
            sessions.append(await pattern.handshake_outbound(pipe, peer))
        else:
            sessions.append(await pattern.handshake_inbound(pipe))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_theirs)
            pipe.feed(ours.step(b""))
            while not sessions or ours.secured is None:
                await anyio.lowlevel.checkpoint()
                data, pipe.outgoing = bytes(pipe.outgoing), bytearray()
                if data:
                    pipe.feed(ours.step(data))
        secured = ours.secured
        assert secured is not None
        session = sessions[0]
        assert str(secured.peer) == str(pattern.local_peer)
        assert str(session.remote_peer) == str(BOB.peer_id)

        pipe.feed(bytes(secured.records.seal([b"from us"])))
        assert await session.read(7) == b"from us"
        await session.write(b"from them")
        assert opened(secured.records, bytes(pipe.outgoing)) == b"from them"
