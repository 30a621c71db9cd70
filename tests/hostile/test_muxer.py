"""Peers that break yamux's rules, or bend them, on a connection that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom._muxers._yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    INITIAL_WINDOW_BYTES,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from tests.core.nodes import Serving, echo
from tests.core.yamux_tools import frame
from tests.hostile.expelled import assert_expelled, hold, infiltrated, opened
from tests.hostile.foe import HEADER, channel_to, line
from tests.hostile.siege import MAX_GROWTH_BYTES, rss, siege

if TYPE_CHECKING:
    from tests.hostile.ways import Way

VIOLATIONS = {
    "data of a stream never opened": (frame(DATA, 0, 7, 10), "never opened"),
    "credit of a stream never opened": (frame(WINDOW_UPDATE, 0, 8, 10), "never opened"),
    "data of a stream of ours": (frame(DATA, 0, 200, 10), "never opened"),
    "a stream with our numbers": (frame(DATA, SYN, 2, 0), "wrong side"),
    "a stream opened twice": (opened(1) + frame(DATA, SYN, 1, 0), "opened twice"),
    "data on stream 0": (frame(DATA, SYN, 0, 5), "stream 0"),
    "a ping on a stream": (frame(PING, SYN, 3, 1), "session's frame on stream 3"),
    "data behind the end": (opened(1) + frame(DATA, FIN, 1, 0) + frame(DATA, 0, 1, 9), "behind"),
    "version 1": (b"\x01" + frame(PING, SYN, 0, 1)[1:], "version 1"),
    "version 255": (b"\xff" + frame(PING, SYN, 0, 1)[1:], "version 255"),
    "an unknown type": (frame(9, 0, 0, 0), "type 9"),
    "random bytes": (bytes(range(1, 250)), "version"),
    "a flood of pings": (frame(PING, SYN, 0, 1) * 2000, "flood of pings"),
}


@pytest.mark.parametrize("what", VIOLATIONS)
async def test_a_violation_ends_the_connection_and_is_told(what: str, raw_way: Way) -> None:
    data, reason = VIOLATIONS[what]
    async with infiltrated(raw_way) as (scene, channel, events):
        await channel.send_or_be_cut(data)
        await assert_expelled(scene, channel, events, reason)


async def test_whoever_stays_when_expelled_is_not_waited_for_long(raw_way: Way) -> None:
    data, reason = VIOLATIONS["version 1"]
    async with infiltrated(raw_way) as (scene, channel, events):
        await channel.send_or_be_cut(data)
        await assert_expelled(scene, channel, events, reason, stays=True)


async def test_every_set_of_flags_on_every_type_is_survived(raw_way: Way) -> None:
    """Also the ones with unknown bits; the connection may go, the node and the others not."""
    async with siege(raw_way, Serving(hold=hold)) as scene:
        for kind in (DATA, WINDOW_UPDATE, PING, GO_AWAY):
            for flags in (*range(16), 0x10, 0x8000, 0xFFFF):
                async with channel_to(scene.address, raw_way.security[0]) as channel:
                    stream_id = 1 if kind in {DATA, WINDOW_UPDATE} else 0
                    sent = frame(kind, flags, stream_id, 4)
                    await channel.send_or_be_cut(opened(1) + sent + opened(3))
                    await channel.send_or_be_cut(frame(GO_AWAY, 0, 0, 0))
                    await channel.until_closed()


async def test_streams_beyond_the_bound_are_refused_and_the_others_go_on(raw_way: Way) -> None:
    async with infiltrated(raw_way) as (scene, channel, _):
        for first in range(1, 2000, 100):
            await channel.send(b"".join(opened(number) for number in range(first, first + 100, 2)))
            with anyio.move_on_after(0.05):
                await channel.receive()
        swarm = await scene.wait_for(
            "the bound per peer holds", lambda swarm: swarm["inbound_streams"].get("/hold/1") == 32
        )
        assert swarm["refused_streams"]["StreamLimitReached"] >= 200
        assert swarm["connections"] == 2


async def test_streams_opened_without_reading_the_refusals_end_the_connection(
    raw_way: Way,
) -> None:
    async with infiltrated(raw_way) as (_, channel, events):
        number = 1
        syn = True
        while syn and number < 400_000:
            burst = b"".join(
                frame(WINDOW_UPDATE, SYN, each, 0) for each in range(number, number + 4096, 2)
            )
            number += 4096
            with anyio.move_on_after(5) as stuck:
                syn = await channel.send_or_be_cut(burst)
            if stuck.cancelled_caught:
                break
        with anyio.fail_after(15):
            event = await anext(events)
        assert "faster than they can be refused" in event.cause, event.cause


async def test_streams_opened_and_reset_at_once_hold_nothing(raw_way: Way) -> None:
    """HTTP/2's rapid reset."""
    proposal = HEADER + line("/echo/1")
    async with (
        siege(raw_way, Serving(echo=echo)) as scene,
        channel_to(scene.address, raw_way.security[0]) as channel,
    ):
        for first in range(1, 20_000, 400):
            burst = b"".join(
                opened(number, proposal) + frame(WINDOW_UPDATE, RST, number, 0)
                for number in range(first, first + 400, 2)
            )
            if not await channel.send_or_be_cut(burst):
                break
        await scene.wait_for("no stream is held", lambda s: not s["inbound_streams"].get("/echo/1"))


async def test_answers_to_nothing_are_ignored(raw_way: Way) -> None:
    async with infiltrated(raw_way) as (scene, channel, _):
        for number in range(2000):
            await channel.send(frame(PING, ACK, 0, number))
        await channel.send(opened(1))
        await scene.wait_for("it goes on", lambda swarm: swarm["inbound_streams"].get("/hold/1"))


async def test_going_away_and_going_on_ends_the_connection(raw_way: Way) -> None:
    async with infiltrated(raw_way) as (scene, channel, events):
        await channel.send(frame(GO_AWAY, 0, 0, 77) + opened(1) + frame(DATA, 0, 1, 100))
        with anyio.fail_after(10):
            event = await anext(events)
        assert "reason 77" in event.cause
        assert (await scene.swarm())["ended_by"] == {"LinkClosed": 1}


async def test_an_end_inside_a_frame_is_no_clean_end(raw_way: Way) -> None:
    async with infiltrated(raw_way) as (_, channel, events):
        await channel.send(frame(DATA, SYN, 1, 100, bytes(10)))
        finish = channel.secured.records.finish()
        if finish:
            await channel.wire.send(finish)
        await channel.wire.stream.send_eof()
        with anyio.fail_after(10):
            event = await anext(events)
        assert "inside a frame" in event.cause


async def test_a_peer_that_reads_nothing_fills_no_memory(raw_way: Way) -> None:
    """It gets echoes that it never reads: the writer waits, the senders wait, nothing grows."""
    async with (
        siege(raw_way, Serving(echo=echo)) as scene,
        channel_to(scene.address, raw_way.security[0]) as channel,
    ):
        before = rss()
        sent = 0
        for number in range(1, 64, 2):
            proposal = HEADER + line("/echo/1")
            await channel.send(opened(number, proposal))
            await channel.send(frame(WINDOW_UPDATE, 0, number, 1 << 30))
            with anyio.move_on_after(0.5):
                body = bytes(INITIAL_WINDOW_BYTES - len(proposal))
                if await channel.send_or_be_cut(frame(DATA, 0, number, len(body), body)):
                    sent += len(body)
        assert sent >= 2 << 20
        assert rss() - before <= MAX_GROWTH_BYTES
        assert await scene.honest.client.ping(scene.node.peer_id) < 1
