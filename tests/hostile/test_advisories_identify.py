"""Published advisories: what a peer says of itself and of others."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from multiaddr import Multiaddr

from peerloom import NetworkConfig, Node
from peerloom._config import PluginSelection
from peerloom._errors import MalformedMessage
from peerloom._framing import encode_message, encode_varint
from peerloom._libp2p import (
    KeyPair,
    PublicKey,
    identify_message,
    open_peer_record,
    seal_peer_record,
)
from peerloom._libp2p._messages import envelope_message, peer_record_message
from peerloom._libp2p._records import _signed_part
from peerloom._meta._identify import IDENTIFY_PROTOCOL
from peerloom._meta._identify_codec import IdentifyMessage, encode_identify
from peerloom._meta._identify_state import PUSH_PROTOCOL
from peerloom._shared_events import IdentifyFailed, IdentifyReceived, PeerDiscovered
from peerloom.plugin import PluginInfo, hookimpl
from tests.core.meta_nodes import Serves
from tests.core.security_kit import with_payload
from tests.hostile.foe import wire_to
from tests.hostile.siege import measured, own_time, siege
from tests.hostile.test_advisories_identity import shake
from tests.hostile.ways import TCP_NOISE, TCP_TLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from peerloom import Stream
    from tests.hostile.siege import Siege
    from tests.hostile.ways import Way

DECODED_SECONDS = 0.005
MIB = 1 << 20


@asynccontextmanager
async def speaker(scene: Siege, way: Way, wire: bytes) -> AsyncGenerator[Node]:
    """A peer that says this of itself, connected to the node."""

    async def saying(stream: Stream) -> None:
        with anyio.move_on_after(5):
            await stream.send(wire)
            await stream.aclose()

    config = NetworkConfig(security=way.security, plugins=PluginSelection(disabled=("identify",)))
    async with Node(config, plugins=[Serves(IDENTIFY_PROTOCOL, saying)]) as node:
        await node.client.dial(scene.address)
        yield node


def said(**fields: Any) -> bytes:
    return encode_message(identify_message()(**fields).SerializeToString())


# -- row 6


def keys() -> list[bytes]:
    """Public keys whose DER, or whose protobuf, lies about lengths."""
    rng = random.Random(110789)
    good = KeyPair.generate("rsa").public_key.to_protobuf()
    lies = [
        b"\x08\x00\x12" + encode_varint(len(der)) + der
        for der in (
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x83\xff\xff\xff" + bytes(300),
            b"\x30\x80" + b"\x30\x80" * 900,
            b"\x30\x82\x07\x00" + b"\x03\x84\x7f\xff\xff\xff" * 200,
            b"\x02\x88" + b"\xff" * 8 + bytes(1000),
        )
    ]
    for _ in range(200):
        spoilt = bytearray(good)
        for _ in range(rng.randrange(1, 8)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        lies.append(bytes(spoilt))
    return [*lies, bytes(60_000), b"\xff" * 60_000]


async def test_cve_2026_110789_keys_in_identify_are_compared_and_not_parsed(way: Way) -> None:
    lies = keys()[::20]
    async with (
        siege(way) as scene,
        scene.node.client.events(IdentifyFailed) as failures,
        measured(scene),
    ):
        for key in lies:
            async with speaker(scene, way, said(public_key=key)):
                with anyio.fail_after(10):
                    failure = await anext(failures)
                assert isinstance(failure.cause, MalformedMessage), failure.cause


def test_cve_2026_110789_every_key_and_envelope_is_judged_within_5_milliseconds() -> None:
    envelope = envelope_message()
    for key in keys():
        signed = envelope(payload_type=b"\x03\x01", payload=b"x", signature=bytes(64))
        wire = signed.SerializeToString() + b"\x0a" + encode_varint(len(key)) + key
        for judge, data in ((PublicKey.from_protobuf, key), (open_peer_record, wire)):
            assert min(seconds(judge, data) for _ in range(3)) < DECODED_SECONDS


def seconds(judge: Callable[[bytes], object], data: bytes) -> float:
    began = own_time()
    with suppress(MalformedMessage):
        judge(data)
    return own_time() - began


# -- row 7


RECORDS = 100_000


class Gossip:
    """A plugin that hears of peers and tells of them, as discovery does."""

    info = PluginInfo("gossip")

    @hookimpl
    def peerloom_setup(self, ctx: Any) -> None:
        self.ctx = ctx


@cache
def records_of_strangers() -> list[bytes]:
    own = Multiaddr("/ip4/198.51.100.7/tcp/4001/ws")  # nothing here dials such an address
    strangers = (KeyPair.from_seed(number.to_bytes(32, "big")) for number in range(RECORDS))
    return [seal_peer_record(stranger, [own], 1) for stranger in strangers]


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_rustsec_2022_0009_and_cve_2023_40583_a_hundred_thousand_records_of_strangers() -> (
    None
):
    """Valid ones, each of another peer: so many are kept as may be."""
    gossip = Gossip()
    records = records_of_strangers()
    async with siege(TCP_TLS, gossip) as scene:
        async with measured(scene):
            for wire in records:
                record = open_peer_record(wire)
                gossip.ctx.emit(PeerDiscovered(record.peer, record.addresses, "gossip"))
                await anyio.lowlevel.checkpoint()
        known = (await scene.status())["plugins"]["discovery"]["report"]
        assert 1000 <= known["peers_known"] <= 4096
        assert known["addresses_known"] <= 4 * 4096


async def test_rustsec_2022_0009_a_record_of_another_peer_is_not_believed_nor_kept(
    way: Way,
) -> None:
    other = KeyPair.generate()
    record = seal_peer_record(other, [Multiaddr("/ip4/198.51.100.9/tcp/1/ws")], 1)
    async with (
        siege(way) as scene,
        scene.node.client.events(IdentifyReceived) as heard,
        measured(scene),
    ):
        async with speaker(scene, way, said(signedPeerRecord=record)) as liar:
            with anyio.fail_after(10):
                event = await anext(heard)
                while event.peer != liar.peer_id:
                    event = await anext(heard)
            assert event.signed_record is None
            assert event.listen_addresses == ()
        skipped = (await scene.status())["plugins"]["identify"]["report"]["skipped_entries"]
        assert skipped == 1


# -- row 8


async def test_cve_2026_57497_ten_thousand_protocols_and_addresses_are_refused(way: Way) -> None:
    parts = [
        identify_message()(
            protocols=[f"/planted/{part}/{number}" for number in range(1000)],
            listen_addrs=[
                Multiaddr(f"/ip4/10.0.{part}.1/tcp/{number}").to_bytes() for number in range(1000)
            ],
        ).SerializeToString()
        for part in range(10)
    ]
    async with (
        siege(way) as scene,
        scene.node.client.events(IdentifyFailed) as failures,
        measured(scene),
        speaker(scene, way, b"".join(map(encode_message, parts))),
    ):
        with anyio.fail_after(10):
            assert isinstance((await anext(failures)).cause, MalformedMessage)


async def test_cve_2026_57497_pushes_without_end_are_not_heard(way: Way) -> None:
    async with siege(way) as scene, measured(scene), speaker(scene, way, b"") as liar:
        message = IdentifyMessage(protocols=tuple(f"/planted/{n}" for n in range(900)))
        wire = b"".join(map(encode_message, encode_identify(message)))
        for _ in range(200):
            with anyio.move_on_after(5):
                await push(liar, scene, wire)


async def push(liar: Node, scene: Siege, wire: bytes) -> None:
    try:
        stream = await liar.client.open_stream(scene.node.peer_id, PUSH_PROTOCOL)
        await stream.send(wire)
        await stream.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return


# -- row 16


EMPTY = {
    "identify's addresses": b"\x12\x00",
    "identify's protocols": b"\x1a\x00",
    "identify's record": b"\x42\x00",
    "an unknown field": b"\x7a\x00",
}


@pytest.mark.parametrize("field", EMPTY)
async def test_cve_2026_86040_four_mebibytes_of_empty_entries_in_identify(
    field: str, way: Way
) -> None:
    entries = EMPTY[field] * (4 * MIB // 2)
    async with (
        siege(way) as scene,
        scene.node.client.events(IdentifyFailed) as failures,
        measured(scene),
        speaker(scene, way, encode_message(entries)),
    ):
        with anyio.fail_after(15):
            assert isinstance((await anext(failures)).cause, MalformedMessage)


async def test_cve_2026_86040_empty_muxers_in_a_noise_handshake() -> None:
    """As many as fit: the handshake's own bound is far below four mebibytes."""
    async with siege(TCP_NOISE) as scene, measured(scene):
        for empty in (b"\x12\x00", b"\x0a\x00"):
            liar = with_payload(lambda _: None)
            room = 4000 // len(empty)
            liar.payload += b"\x22" + encode_varint(room * len(empty)) + empty * room
            async with wire_to(scene.address) as wire:
                with anyio.move_on_after(2):
                    await shake(wire, liar)


def test_cve_2026_86040_empty_entries_in_records_are_judged_within_5_milliseconds() -> None:
    """At four mebibytes, and at the most that is looked into."""
    key = KeyPair.generate()
    for size in (4 * MIB, 32_000):
        record = peer_record_message()(peer_id=bytes(key.peer_id), seq=1).SerializeToString()
        payload = record + b"\x1a\x00" * (size // 2)
        kind = b"\x03\x01"
        signature = key.sign(_signed_part(b"libp2p-peer-record", kind, payload))
        envelope = envelope_message()(payload_type=kind, payload=payload, signature=signature)
        envelope.public_key.MergeFromString(key.public_key.to_protobuf())
        wire = envelope.SerializeToString()
        assert min(seconds(open_peer_record, wire) for _ in range(3)) < DECODED_SECONDS


# -- row 31


@pytest.mark.parametrize(
    "wire", [b"\xff" * 40, encode_message(b"\x0a"), encode_message(b"\x0c" * 9)]
)
async def test_py_audit_1_garbage_in_the_place_of_a_protobuf_fails_that_exchange(
    wire: bytes, way: Way
) -> None:
    async with (
        siege(way) as scene,
        scene.node.client.events(IdentifyFailed) as failures,
        measured(scene),
        speaker(scene, way, wire),
    ):
        with anyio.fail_after(10):
            assert isinstance((await anext(failures)).cause, MalformedMessage)
