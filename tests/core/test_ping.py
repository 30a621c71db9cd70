"""Ping and its watchdog between real nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import (
    LinkClosed,
    MalformedMessage,
    PeerDisconnected,
    PingFailed,
    PingSucceeded,
    ProtocolNotSupported,
)
from peerloom._meta._ping import PING_PROTOCOL
from tests.core.meta_nodes import Serves, connect, next_event, started_node

if TYPE_CHECKING:
    from peerloom import Stream

FAST = {"interval_seconds": 0.1, "timeout_seconds": 0.3}


async def test_ping_gives_the_round_trip_in_seconds() -> None:
    async with started_node() as one, started_node() as other:
        await connect(one, other)

        assert 0 < await one.client.ping(other.peer_id) < 5
        assert 0 < await other.client.ping(one.peer_id) < 5


async def test_ping_of_a_peer_that_is_not_connected_says_so() -> None:
    async with started_node() as one, started_node() as other:
        with pytest.raises(LinkClosed, match="not connected"):
            await one.client.ping(other.peer_id)


async def test_many_pings_at_once_use_one_stream_and_are_all_answered() -> None:
    async with started_node() as one, started_node() as other:
        await connect(one, other)
        round_trips: list[float] = []

        async def ping() -> None:
            round_trips.append(await one.client.ping(other.peer_id))

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(ping)

        assert len(round_trips) == 50


async def test_every_connection_is_pinged_again_and_again() -> None:
    async with (
        started_node(ping=FAST) as one,
        started_node() as other,
        one.client.events(PingSucceeded) as pings,
    ):
        connection = await connect(one, other)
        for _ in range(3):
            event = await next_event(pings)

            assert (event.peer, event.connection_id) == (other.peer_id, connection.id)
            assert event.round_trip_seconds > 0


async def test_connection_that_does_not_answer_three_pings_in_a_row_is_closed() -> None:
    async def silence(stream: Stream) -> None:
        while True:
            await stream.receive()

    async with (
        started_node(ping=FAST) as one,
        started_node(Serves(PING_PROTOCOL, silence), without=("ping",)) as other,
        one.client.events(PingFailed, PeerDisconnected) as events,
    ):
        await connect(one, other)
        failures = [await next_event(events) for _ in range(3)]
        end = await next_event(events)

        assert [failure.failures_in_a_row for failure in failures] == [1, 2, 3]
        assert all(isinstance(failure.cause, TimeoutError) for failure in failures)
        assert isinstance(end, PeerDisconnected)
        assert end.cause == "no answer to 3 pings in a row"


async def test_peer_that_closes_the_stream_after_each_ping_is_alive_all_the_same() -> None:
    async def answer_once(stream: Stream) -> None:
        await stream.send(await stream.receive())
        await stream.aclose()

    async with (
        started_node(ping=FAST) as one,
        started_node(Serves(PING_PROTOCOL, answer_once), without=("ping",)) as other,
        one.client.events(PingSucceeded, PingFailed) as events,
    ):
        await connect(one, other)

        for _ in range(4):
            assert isinstance(await next_event(events), PingSucceeded)


async def test_ping_that_comes_back_with_other_bytes_has_failed() -> None:
    async def lie(stream: Stream) -> None:
        await stream.receive()
        await stream.send(bytes(32))
        await stream.receive()

    async with (
        started_node() as one,
        started_node(Serves(PING_PROTOCOL, lie), without=("ping",)) as other,
    ):
        await connect(one, other)

        with pytest.raises(MalformedMessage, match="other bytes"):
            await one.client.ping(other.peer_id)


async def test_peer_that_does_not_speak_ping_stays_connected() -> None:
    async with (
        started_node(ping={**FAST, "max_failures": 1}) as one,
        started_node(without=("ping",)) as other,
        one.client.events(PingFailed) as failures,
    ):
        await connect(one, other)
        failure = await next_event(failures)

        assert isinstance(failure.cause, ProtocolNotSupported)
        assert failure.failures_in_a_row == 0
        assert await one.client.peers() == (other.peer_id,)


async def test_third_ping_stream_of_a_connection_is_refused() -> None:
    async with started_node() as one, started_node() as other:
        await connect(one, other)
        streams = [await one.client.open_stream(other.peer_id, PING_PROTOCOL) for _ in range(2)]
        for stream in streams:
            assert await echo(stream) == b"x" * 32
        third = await one.client.open_stream(other.peer_id, PING_PROTOCOL)

        with anyio.fail_after(5), pytest.raises(anyio.BrokenResourceError):
            await echo(third)


@pytest.mark.usefixtures("hurried")
async def test_pings_do_not_hold_a_connection() -> None:
    async with (
        started_node(ping=FAST, keep_alive=0.5) as one,
        started_node(ping=FAST, keep_alive=0.5) as other,
        one.client.events(PeerDisconnected) as ends,
    ):
        await connect(one, other)

        assert (await next_event(ends)).peer == other.peer_id


async def echo(stream: Stream) -> bytes:
    await stream.send(b"x" * 32)
    return await stream.receive()
