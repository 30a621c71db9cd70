"""Floods of QUIC frames, and how their numbers are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from tests.hostile.quic_foe import quic_foe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from multiaddr import Multiaddr

PATH_CHALLENGE, NEW_CONNECTION_ID, RETIRE_CONNECTION_ID = 0x1A, 0x18, 0x19
STREAM, RESET_STREAM, CRYPTO, HANDSHAKE_DONE, ACK = 0x0E, 0x04, 0x06, 0x1E, 0x02
MAX_DATA, MAX_STREAMS, DATA_BLOCKED, NEW_TOKEN = 0x10, 0x12, 0x14, 0x07


def number(value: int) -> bytes:
    """RFC 9000 section 16."""
    for size, mark in ((1, 0), (2, 1), (4, 2), (8, 3)):
        if value < 1 << 8 * size - 2:
            return (value | mark << 8 * size - 2).to_bytes(size, "big")
    raise ValueError(value)


def challenges() -> Iterator[tuple[int, bytes]]:
    return ((PATH_CHALLENGE, each.to_bytes(8, "big")) for each in range(20_000))


def new_ids() -> Iterator[tuple[int, bytes]]:
    """Each retires all before it, so that each wants an answer."""
    for each in range(2, 20_000):
        names = b"\x08" + each.to_bytes(8, "big") + each.to_bytes(16, "big")
        yield NEW_CONNECTION_ID, number(each) + number(each) + names


def new_ids_unretired() -> Iterator[tuple[int, bytes]]:
    for each in range(2, 20_000):
        names = b"\x08" + each.to_bytes(8, "big") + each.to_bytes(16, "big")
        yield NEW_CONNECTION_ID, number(each) + number(0) + names


def crumbs() -> Iterator[tuple[int, bytes]]:
    """Single bytes of a stream, no two beside each other."""
    return ((STREAM, number(0) + number(2 * each) + number(1) + b"x") for each in range(20_000))


def handshake_crumbs() -> Iterator[tuple[int, bytes]]:
    return ((CRYPTO, number(2 * each + 1) + number(1) + b"x") for each in range(20_000))


FLOODS: Final = {
    "cve_2023_49295 path challenges": challenges,
    "cve_2024_22189 connection ids that retire others": new_ids,
    "cve_2024_22189 connection ids past the limit": new_ids_unretired,
    "crumbs of a stream": crumbs,
    "crumbs of a handshake": handshake_crumbs,
    "nothing but blocked": lambda: ((DATA_BLOCKED, number(each)) for each in range(20_000)),
}


async def quic_frames(address: Multiaddr, flood: str, seconds: float = 4.0) -> None:
    """Frames of one kind as fast as they are taken, until the node ends the connection."""
    with quic_foe(address) as foe:
        assert await foe.until(lambda: foe.established)
        with anyio.move_on_after(seconds):
            sent = await foe.send_frames(FLOODS[flood]())
            assert foe.closed or sent > 1000
        foe.connection.close(0)
        foe.flush()
