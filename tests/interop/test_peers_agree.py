"""The peers themselves: other implementations agree with each other and with README.md.

They meet over Noise; over TLS py-libp2p's certificate is refused by js-libp2p (its libp2p
extension does not come first).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from .driver import Peer, PeerError, peer
from .pattern import pattern_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIB = 1024 * 1024
SEED = 7

pytestmark = [
    pytest.mark.parametrize(
        ("dialer", "listener"),
        [
            ("js", "py"),
            ("py", "js"),
            ("go", "js"),
            ("js", "go"),
            ("rust", "js"),
            ("js", "rust"),
            ("rust", "py"),
            ("py", "rust"),
            ("rust", "go"),
            ("go", "rust"),
        ],
    ),
]


@asynccontextmanager
async def connected(dialer: str, listener: str) -> AsyncIterator[tuple[Peer, Peer]]:
    async with (
        peer(listener, security=["noise"]) as there,
        peer(dialer, security=["noise"]) as here,
    ):
        await here.dial(there.address)
        await there.event("connected", peer=here.id)
        yield here, there


async def test_peers_identify_and_ping_each_other(dialer: str, listener: str) -> None:
    async with connected(dialer, listener) as (here, there):
        told = await here.event("identified", peer=there.id)
        assert "/test/echo/1" in told["protocols"]
        assert await here.identify(there.id) == {
            name: value for name, value in told.items() if name not in ("event", "peer")
        }
        assert await here.ping(there.id) >= 0
        [connection] = await here.connections()
        assert connection["peer"] == there.id


async def test_peers_push_what_they_serve_from_now_on(dialer: str, listener: str) -> None:
    async with connected(dialer, listener) as (here, there):
        await here.event("identified", peer=there.id)
        await there.event("identified", peer=here.id)
        await there.handle("/test/later/1")
        await here.event(
            "identified", peer=there.id, where=lambda event: "/test/later/1" in event["protocols"]
        )


async def test_peers_carry_bytes_both_ways(dialer: str, listener: str) -> None:
    async with connected(dialer, listener) as (here, there):
        expected = pattern_sha256(SEED, MIB)
        [echoed] = (await here.run("echo", there.id, MIB, SEED))["streams"]
        assert echoed["sent_sha256"] == echoed["received_sha256"] == expected
        sunk = await here.run("sink", there.id, MIB, SEED)
        assert (sunk["reported"], sunk["reported_sha256"]) == (MIB, expected)
        drawn = await here.run("source", there.id, MIB, SEED)
        assert (drawn["received"], drawn["received_sha256"]) == (MIB, expected)
        returned = await here.run("half-close", there.id, MIB, SEED)
        assert returned["received_sha256"] == expected
        ended = await there.event("stream-ended", protocol="/test/half-close/1")
        assert (ended["how"], ended["received_sha256"]) == ("end", expected)


async def test_peers_see_an_end_that_comes_with_the_last_bytes(dialer: str, listener: str) -> None:
    async with connected(dialer, listener) as (here, there):
        await here.event("identified", peer=there.id)  # from now on it need not ask what is spoken
        for nbytes in (1, 1000, 10_000):
            [echoed] = (await here.run("echo", there.id, nbytes, SEED))["streams"]
            assert echoed["received_sha256"] == pattern_sha256(SEED, nbytes)


async def test_peers_see_resets(dialer: str, listener: str) -> None:
    async with connected(dialer, listener) as (here, there):
        seen = await here.run("expect-reset", there.id, 1000, SEED)
        assert seen["how"] == "reset"
        await here.run("send-reset", there.id, 1000, SEED)
        await there.event("stream-ended", protocol="/test/echo/1", how="reset")


async def test_peers_hold_streams_until_released(dialer: str, listener: str) -> None:
    async with connected(dialer, listener) as (here, there):
        async with anyio.create_task_group() as tasks:
            outcome = {}

            async def draw() -> None:
                outcome.update(await here.run("source", there.id, MIB, SEED, hold=True))

            tasks.start_soon(draw)
            opened = await here.event("stream-opened", protocol="/test/source/1")
            assert [each["received"] for each in await here.streams()] == [0]
            await here.release(opened["stream"])
        assert outcome["received_sha256"] == pattern_sha256(SEED, MIB)


async def test_peers_refuse_what_is_not_in_the_protocol(dialer: str, listener: str) -> None:
    async with peer(dialer, listen=[]) as here:
        with pytest.raises(PeerError) as unknown_command:
            await here.request("no-such-command")
        assert unknown_command.value.kind == "bad-request"
        with pytest.raises(PeerError) as unknown_field:
            await here.request("ping", peer=here.id, colour="red")
        assert unknown_field.value.kind == "bad-request"
        with pytest.raises(PeerError) as missing_field:
            await here.request("ping")
        assert missing_field.value.kind == "bad-request"
