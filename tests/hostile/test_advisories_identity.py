"""Published advisories: who the other side is. Each test is named after its identifier."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from peerloom import (
    DialFailed,
    IncomingConnectionFailed,
    NetworkConfig,
    Node,
    PeerDisconnected,
    WrongPeerId,
)
from peerloom._errors import HandshakeFailed
from peerloom._framing import encode_varint
from peerloom._links import Role
from peerloom._muxers._yamux_frames import ACK, PING, SYN
from peerloom._security._noise_records import MAX_NONCE
from tests.core.certificate_kit import Recipe, build, signed_key
from tests.core.security_kit import LIES, with_payload
from tests.core.tls_stranger import Stranger
from tests.core.yamux_tools import frame
from tests.hostile.foe import HEADER, channel_to, host, line, wire_to
from tests.hostile.siege import measured, siege
from tests.hostile.strangers import show_certificate
from tests.hostile.ways import TCP_NOISE, TCP_TLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketStream

    from peerloom._security import Noise
    from tests.hostile.foe import Wire
    from tests.hostile.ways import Way


async def test_ghsa_rch7_f4h5_x9rj_an_id_dialled_at_anothers_address_fails_there_only(
    way: Way,
) -> None:
    config = NetworkConfig(listen=[way.listen], security=way.security)
    async with siege(way) as scene, Node(config) as impostor, Node(config) as wanted:
        false, right = (node.addresses[0].decapsulate_code(421) for node in (impostor, wanted))
        async with measured(scene):
            with pytest.raises(DialFailed) as failed:
                await scene.node.client.dial(wanted.peer_id, [false])
            ((address, cause),) = failed.value.attempts
            assert address == false
            assert isinstance(cause, WrongPeerId)
            assert (cause.expected, cause.actual) == (wanted.peer_id, impostor.peer_id)
            connection = await scene.node.client.dial(wanted.peer_id, [false, right])
            assert connection.peer == wanted.peer_id
            await scene.node.client.disconnect(wanted.peer_id)
        swarm = await scene.swarm()
        assert swarm["failed_dials_by"]["WrongPeerId"] >= 1
        assert any(str(impostor.peer_id) in reason for reason in swarm["recent_failures"])


class TestCve202224759:
    """The signature of the identity in a Noise handshake was not verified."""

    async def test_cve_2022_24759_a_dialler_that_lies_about_itself_is_refused(self) -> None:
        async with siege(TCP_NOISE) as scene:
            async with (
                measured(scene),
                scene.node.client.events(IncomingConnectionFailed) as events,
            ):
                for lie in LIES.values():
                    async with wire_to(scene.address) as wire:
                        await shake(wire, with_payload(lie))
                    with anyio.fail_after(10):
                        cause = (await anext(events)).cause
                    assert isinstance(cause, HandshakeFailed)
                    assert str(cause).startswith("Noise: ")
            assert (await scene.swarm())["failed_accepts_by"] == {"HandshakeFailed": len(LIES)}

    async def test_cve_2022_24759_a_listener_that_lies_about_itself_is_refused(self) -> None:
        async with siege(TCP_NOISE) as scene, measured(scene):
            for lie in LIES.values():
                async with host(lying(with_payload(lie))) as address:
                    with pytest.raises(DialFailed) as failed:
                        await scene.node.client.dial(address)
                ((_, cause),) = failed.value.attempts
                assert isinstance(cause, HandshakeFailed)
                assert str(cause).startswith("Noise: ")
            swarm = await scene.swarm()
            assert swarm["failed_dials_by"] == {"HandshakeFailed": len(LIES)}


async def shake(wire: Wire, noise: Noise) -> None:
    """A dialler's part of Noise XX, as far as the node goes along."""
    await wire.select("/noise")
    handshake = noise.handshake(Role.DIALER, None)
    await wire.send(handshake.step(b""))
    if answer := await wire.receive():
        await wire.send(handshake.step(answer))
    await wire.until_closed()


def lying(noise: Noise) -> Callable[[SocketStream], Any]:
    """A listener's part."""

    async def serve(stream: SocketStream) -> None:
        received = b""
        while b"/noise\n" not in received:
            received += await stream.receive()
        await stream.send(HEADER + line("/noise"))
        early = received.partition(b"/noise\n")[2]
        await stream.send(
            noise.handshake(Role.LISTENER, None).step(early or await stream.receive())
        )
        while await stream.receive():
            pass

    return serve


class TestGhsaG9mp8g3h3c5c:
    """Noise's nonce wrapped, and advanced when a record could not be decrypted."""

    @pytest.mark.parametrize("at", [0, 2, 5, 9, -1])
    async def test_ghsa_g9mp_8g3h_3c5c_a_tampered_record_ends_the_connection(
        self, at: int, raw_way: Way
    ) -> None:
        await spoil(raw_way, lambda record: _flip(record, at))

    async def test_ghsa_g9mp_8g3h_3c5c_a_truncated_record_ends_it(self, raw_way: Way) -> None:
        await spoil(raw_way, lambda record: record[:-3])

    async def test_ghsa_g9mp_8g3h_3c5c_no_nonce_is_used_twice(self, raw_way: Way) -> None:
        await spoil(raw_way, lambda record: record + record)

    async def test_ghsa_g9mp_8g3h_3c5c_the_last_nonce_is_never_used(self) -> None:
        """Whoever has used up the nonces loses the connection, not the secrecy."""
        async with (
            siege(TCP_NOISE) as scene,
            scene.node.client.events(PeerDisconnected) as events,
            channel_to(scene.address, "noise") as channel,
        ):
            await scene.wait_for("connected", lambda swarm: swarm["connections"] == 2)
            *_, newest = scene.node._swarm._pool._connections.values()
            link: Any = newest._link
            link._records._sent = MAX_NONCE
            await channel.send(frame(PING, SYN, 0, 1))  # it wants an answer
            with anyio.fail_after(20):
                event = await anext(events)
            assert "used up its nonces" in event.cause
            assert (await scene.swarm())["ended_by"] == {"RecordError": 1}


async def spoil(way: Way, change: Callable[[bytes], bytes]) -> None:
    async with siege(way) as scene:
        async with (
            measured(scene),
            scene.node.client.events(PeerDisconnected) as events,
            channel_to(scene.address, way.security[0]) as channel,
        ):
            await scene.wait_for("connected", lambda swarm: swarm["connections"] == 2)
            record = bytes(channel.secured.records.seal([frame(PING, ACK, 0, 1)]))
            await channel.wire.try_to_send(change(record))
            await channel.wire.send_eof()
            await channel.wire.until_closed()
            with anyio.fail_after(10):
                event = await anext(events)
        assert event.cause.startswith("RecordError: "), event.cause
        assert (await scene.swarm())["ended_by"]["RecordError"] == 1


def _flip(record: bytes, at: int) -> bytes:
    spoilt = bytearray(record)
    spoilt[at] ^= 1
    return bytes(spoilt)


RSA_BITS = (1024, 2040, 8200, 16_384, 400_000)


class TestCve202339533:
    """RSA keys of any size were verified with."""

    async def test_cve_2023_39533_keys_too_short_or_too_long_are_refused_unverified_by_noise(
        self,
    ) -> None:
        async with siege(TCP_NOISE) as scene:
            async with (
                measured(scene),
                scene.node.client.events(IncomingConnectionFailed) as events,
            ):
                for bits in RSA_BITS:
                    blob = rsa_blob(bits)
                    liar = with_payload(partial(put_key, blob))
                    async with wire_to(scene.address) as wire:
                        await shake(wire, liar)
                    await assert_unverified(events)
            assert (await scene.swarm())["failed_accepts_by"] == {"HandshakeFailed": len(RSA_BITS)}

    async def test_cve_2023_39533_and_by_tls(self) -> None:
        async with siege(TCP_TLS) as scene:
            async with (
                measured(scene),
                scene.node.client.events(IncomingConnectionFailed) as events,
            ):
                for bits in RSA_BITS[:-1]:  # a certificate of 100 KB is refused for its length
                    recipe = Recipe(extension=signed_key(rsa_blob(bits), bytes(bits // 8)))
                    stranger = Stranger(
                        Role.DIALER, [build(recipe)], recipe.key, alpn=[b"/yamux/1.0.0"]
                    )
                    await show_certificate(scene, stranger)
                    await assert_unverified(events)
            assert (await scene.swarm())["failed_accepts_by"] == {"HandshakeFailed": 4}


def put_key(blob: bytes, message: Any) -> None:
    message.identity_key = blob


async def assert_unverified(events: Any) -> None:
    """The reason is the key itself, not its signature, which has not been looked at."""
    with anyio.fail_after(10):
        cause = (await anext(events)).cause
    assert isinstance(cause, HandshakeFailed)
    refusals = ("rsa key", "over the bound", "handshake message of")
    assert any(each in str(cause) for each in refusals), cause


def rsa_blob(bits: int) -> bytes:
    """A public key in protobuf form: well-formed, of this size, of nobody."""
    modulus = (1 << bits) - 1
    spki = (
        rsa.RSAPublicNumbers(65537, modulus)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if bits <= 16_384
        else bytes(bits // 8)
    )
    return b"\x08\x00\x12" + encode_varint(len(spki)) + spki
