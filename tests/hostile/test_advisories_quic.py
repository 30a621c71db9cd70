"""Published advisories on QUIC: floods of frames, odd parameters and tokens, stray datagrams."""

from __future__ import annotations

import random
import socket
from itertools import islice
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from peerloom import PeerDisconnected
from peerloom._addresses import quic_endpoint
from peerloom._transports import QuicSettings
from peerloom._transports._quic_aioquic import MAX_STREAM_PIECES
from peerloom._transports._quic_packets import long_header
from tests.core.quic_kit import engines
from tests.core.security_kit import ALICE
from tests.hostile.attacks import attack
from tests.hostile.foe import link_to
from tests.hostile.quic_attacks import (
    ACK,
    FLOODS,
    HANDSHAKE_DONE,
    MAX_DATA,
    MAX_STREAMS,
    NEW_CONNECTION_ID,
    NEW_TOKEN,
    RESET_STREAM,
    RETIRE_CONNECTION_ID,
    STREAM,
    crumbs,
    number,
)
from tests.hostile.quic_foe import quic_foe
from tests.hostile.siege import measured, siege
from tests.hostile.ways import QUIC_AIOQUIC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.hostile.siege import Siege
    from tests.hostile.ways import Way


@pytest.mark.parametrize("flood", sorted(FLOODS))
async def test_cve_2023_49295_and_cve_2024_22189_floods_of_frames(
    flood: str, quic_way: Way
) -> None:
    async with siege(quic_way) as scene:
        async with measured(scene):
            await attack("quic_frames", scene.address, flood=flood)
        await scene.wait_for("it is gone", lambda swarm: swarm["connections"] == 1, 40)


async def test_a_stream_in_too_many_pieces_ends_its_connection_on_aioquic() -> None:
    """It looks through all that wait for each that comes: 20,000 held the node for seconds."""
    async with siege(QUIC_AIOQUIC) as scene:
        with quic_foe(scene.address) as foe:
            assert await foe.until(lambda: foe.established)
            await foe.send_frames(islice(crumbs(), 1, MAX_STREAM_PIECES // 2))
            assert not await foe.until(lambda: foe.closed, seconds=0.2)
            await foe.send_frames(islice(crumbs(), 1, MAX_STREAM_PIECES + 10))
            assert await foe.until(lambda: foe.closed)
        await scene.wait_for("it is gone", lambda swarm: swarm["connections"] == 1)


VIOLATIONS = {
    "a stream past the limit": [(STREAM, number(4 * 1000) + number(0) + number(1) + b"x")],
    "a stream of the node's": [(STREAM, number(1) + number(0) + number(1) + b"x")],
    "a unidirectional stream": [(STREAM, number(2) + number(0) + number(1) + b"x")],
    "data past the window": [(STREAM, number(0) + number(1 << 30) + number(1) + b"x")],
    "data past 2^62": [(STREAM, number(0) + number((1 << 62) - 1) + number(1) + b"x")],
    "a reset of another length": [
        (STREAM, number(0) + number(9) + number(1) + b"x"),
        (RESET_STREAM, number(0) + number(0) + number(1)),
    ],
    "a limit of too many streams": [(MAX_STREAMS, number((1 << 60) + 1))],
    "a farewell to a handshake, by its dialler": [(HANDSHAKE_DONE, b"")],
    "a token, by a dialler": [(NEW_TOKEN, number(1) + b"x")],
    "a retired id that never was": [(RETIRE_CONNECTION_ID, number(1000))],
    "an id of no length": [(NEW_CONNECTION_ID, number(9) + number(0) + b"\0" + bytes(16))],
    "an id that retires itself and more": [
        (NEW_CONNECTION_ID, number(9) + number(10) + b"\x08" + bytes(8) + bytes(16))
    ],
    "an acknowledgement of what was never sent": [
        (ACK, number(1 << 40) + number(0) + number(0) + number(0))
    ],
    "an acknowledgement below nought": [(ACK, number(1) + number(0) + number(0) + number(9))],
    "an unknown frame": [(0x3F, b"x")],
    "a frame cut short": [(MAX_DATA, b"\xff")],
}


@pytest.mark.parametrize("violation", VIOLATIONS)
async def test_cve_2026_31812_a_violation_ends_the_connection_and_is_told(
    violation: str, quic_way: Way
) -> None:
    async with (
        siege(quic_way) as scene,
        scene.node.client.events(PeerDisconnected) as events,
        measured(scene),
    ):
        with quic_foe(scene.address) as foe:
            assert await foe.until(lambda: foe.established)
            await scene.wait_for("it is there", lambda swarm: swarm["connections"] == 2)
            await foe.send_frames(VIOLATIONS[violation])
            if (violation, quic_way.engine) in TOLERATED:
                foe.connection.close(0)
                foe.flush()
                return
            assert await foe.until(lambda: foe.closed), "the node goes on"
        with anyio.fail_after(10):
            event = await anext(events)
        assert not event.intended
        kind = event.cause.partition(":")[0]
        assert (await scene.swarm())["ended_by"] == {kind: 1}


def parameter(kind: int, value: bytes) -> bytes:
    return number(kind) + number(len(value)) + value


ODD_PARAMETERS = {
    "none": lambda _: b"",
    "garbage": lambda _: b"\xff" * 30,
    "cut short": lambda encoded: encoded[:-3],
    "each twice": lambda encoded: encoded * 2,
    "a length past the end": lambda encoded: encoded + number(0x4) + number(4000),
    "a window of 2^62 - 1": lambda encoded: encoded + parameter(0x4, number((1 << 62) - 1)),
    "an exponent of 2^62 - 1": lambda encoded: encoded + parameter(0xA, number((1 << 62) - 1)),
    "a delay of 2^14": lambda encoded: encoded + parameter(0xB, number(1 << 14)),
    "datagrams of no bytes": lambda encoded: encoded + parameter(0x3, number(0)),
    "no connection ids": lambda encoded: encoded + parameter(0xE, number(0)),
    "streams past 2^60": lambda encoded: encoded + parameter(0x8, number((1 << 60) + 1)),
    "a value with bytes behind it": lambda encoded: encoded + parameter(0x4, bytes(9)),
    "another's id": lambda encoded: encoded + parameter(0xF, b"another!"),
    "a server's token": lambda encoded: encoded + parameter(0x2, bytes(16)),
    "a server's address": lambda encoded: encoded + parameter(0xD, bytes(41)),
    "a thousand of no meaning": lambda encoded: (
        encoded + b"".join(parameter(31 * each + 27, b"") for each in range(250))
    ),
}
HARMLESS = {"a thousand of no meaning", "a window of 2^62 - 1"}
TOLERATED = {  # by aioquic, which heeds neither and loses nothing by that
    ("each twice", "aioquic"),
    ("an acknowledgement of what was never sent", "aioquic"),
}


@pytest.mark.parametrize("odd", ODD_PARAMETERS)
async def test_cve_2026_31812_odd_transport_parameters_end_that_handshake(
    odd: str, quic_way: Way
) -> None:
    async with siege(quic_way) as scene, measured(scene):
        with quic_foe(scene.address, parameters=ODD_PARAMETERS[odd]) as foe:
            await foe.until(lambda: foe.closed, 1)
            if odd not in HARMLESS and (odd, quic_way.engine) not in TOLERATED:
                await scene.wait_for(
                    "it is refused", lambda s: sum(s["failed_accepts_by"].values()) == 1, 15
                )
            foe.connection.close(0)
            foe.flush()
        await scene.wait_for("it is gone", lambda s: s["connections"] == 1, 40)


@pytest.mark.usefixtures("hurried")
async def test_cve_2024_45311_odd_tokens_are_no_proof_and_no_harm(quic_way: Way) -> None:
    """With many handshakes under way, tokens are asked for: wrong, cut, foreign and old ones."""
    rng = random.Random(45311)
    async with siege(quic_way) as scene:
        target = target_of(scene)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)  # noqa: FBT003
            async with measured(scene):
                for _ in range(QuicSettings().retry_half_open):
                    sock.sendto(hello(), target)
                for length in (*range(64), 600, 1100):
                    data = hello()
                    for _ in range(10):
                        sock.sendto(with_token(data, rng.randbytes(length)), target)
                        await anyio.lowlevel.checkpoint()
            counters = (await scene.swarm())["quic"]
        assert counters["retries"] >= 100
        async with link_to(scene.address, quic_way.security):  # it proves its address
            await scene.wait_for("one more", lambda s: s["connections"] == 2)


def target_of(scene: Siege) -> tuple[str, int]:
    found = quic_endpoint(scene.address.decapsulate_code(421))
    assert found is not None
    return found[1:]


def hello() -> bytes:
    first, *_ = engines("aioquic", ALICE).dial(("127.0.0.1", 1), None, 0.0).datagrams_to_send(0.0)
    return first[0]


def with_token(data: bytes, token: bytes) -> bytes:
    """An Initial packet with another token; only its header is looked at before that."""
    header = long_header(data)
    assert header is not None
    at = 7 + len(header.destination) + len(header.source)
    assert data[at] == 0
    return (data[:at] + number(len(token)) + token + data[at + 1 :])[:1452]


STRAY = {"quic": 100_000, "quic-aioquic": 10_000}  # aioquic takes a millisecond for each


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_cve_2026_103936_a_hundred_thousand_stray_datagrams(quic_way: Way) -> None:
    rng = random.Random(103936)
    templates = [hello() for _ in range(4)]
    count = STRAY[quic_way.name]
    async with siege(quic_way) as scene:
        async with measured(scene):
            await pelt(scene, (stray(rng, templates) for _ in range(count)))
        async with link_to(scene.address, quic_way.security):
            swarm = await scene.wait_for("it listens", lambda s: s["connections"] == 2)
        assert sum(each for each in swarm["quic"].values() if isinstance(each, int)) > count // 4
        await scene.wait_for("no handshake is left", lambda s: s["pending_in"] == 0, 30)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_py_audit_2_ten_thousand_handshakes_that_nobody_finishes(quic_way: Way) -> None:
    hellos = [hello() for _ in range(1000)] * 10
    async with siege(quic_way) as scene:
        async with measured(scene):
            await pelt(scene, hellos)
            async with link_to(scene.address, quic_way.security):
                await scene.wait_for("a good one", lambda s: s["connections"] == 2)
        swarm = await scene.wait_for("none is left", lambda s: s["pending_in"] == 0, 30)
        assert swarm["quic"]["retries"] >= 1000


def stray(rng: random.Random, templates: list[bytes]) -> bytes:
    """Random bytes, or a hello that is cut short or changed somewhere."""
    kind = rng.randrange(3)
    if kind == 0:
        return rng.randbytes(rng.randrange(1500))
    data = bytearray(rng.choice(templates))
    if kind == 1:
        return bytes(data[: rng.randrange(len(data))])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


async def pelt(scene: Siege, datagrams: Iterable[bytes]) -> None:
    target = target_of(scene)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for count, data in enumerate(datagrams):
            sock.sendto(data, target)
            if count % 20 == 0:  # as many as fit into a socket's buffer
                await anyio.lowlevel.checkpoint()
