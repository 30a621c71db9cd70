"""Streams of yamux links over a pipe in memory: what tasks see."""

from __future__ import annotations

import hashlib

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom._errors import (
    StreamLimitReached,
    StreamReset,
)
from peerloom._links import Role
from peerloom._muxers import PROTOCOL_ID

from .yamux_tools import (
    both_ends,
    echo,
    linked,
    make_link,
    pipe_pair,
    read_all,
    until,
)

MIB = 1024 * 1024


# --- data ----------------------------------------------------------------------------------


async def test_link_echoes_ten_mebibytes():
    data = bytes(range(256)) * (10 * MIB // 256)
    async with linked() as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)
        group.start_soon(echo, there)

        async def write():
            await here.send(data)
            await here.send_eof()

        group.start_soon(write)
        got = await read_all(here)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


async def test_link_carries_a_hundred_streams_at_once():
    results = {}

    async def serve(link):
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(echo, await link.accept_stream())

    async def ask(link, number):
        stream = await link.open_stream()
        await stream.send(data := number.to_bytes(2, "big") * 20_000)
        await stream.send_eof()
        results[number] = await read_all(stream) == data
        await stream.aclose()

    async with linked() as ends:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(serve, ends.listener)
                for number in range(100):
                    group.start_soon(ask, ends.dialer, number)
        links = (ends.dialer, ends.listener)
        await until(lambda: not any(link._streams._streams for link in links))
    assert results == dict.fromkeys(range(100), True)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_send_takes_every_kind_of_buffer(kind):
    item = kind(b"x" * 100)
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(item)
        if isinstance(item, bytearray):
            item[:] = b"y" * 100
        assert await there.receive() == b"x" * 100


async def test_receive_gives_no_more_than_asked_for():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(b"abcdef")
        assert [await there.receive(4), await there.receive(4)] == [b"abcd", b"ef"]


async def test_half_close_ends_one_direction_only():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send_eof()
        with pytest.raises(anyio.EndOfStream):
            await there.receive()
        with pytest.raises(anyio.ClosedResourceError):
            await here.send(b"x")
        await there.send(b"still here")
        assert await here.receive() == b"still here"


async def test_link_measures_the_round_trip_from_its_start():
    async with linked() as ends:
        await until(lambda: ends.dialer.round_trip_seconds is not None)
        await until(lambda: ends.listener.round_trip_seconds is not None)
        assert ends.dialer.muxer == PROTOCOL_ID


# --- resets and closing --------------------------------------------------------------------


async def test_reset_reaches_a_blocked_reader_as_a_reset():
    async with linked() as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)

        async def read():
            with pytest.raises(StreamReset):
                await there.receive()

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        here.reset()
        with pytest.raises(StreamReset):
            await here.receive()
        with pytest.raises(StreamReset):
            await here.send(b"x")


async def test_reset_reaches_a_blocked_sender():
    async with linked() as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)

        async def write():
            with pytest.raises(StreamReset):
                await here.send(bytes(10 * MIB))

        group.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        there.reset()


async def test_aclose_delivers_what_was_sent():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(bytes(500_000))
        await here.aclose()
        assert len(await read_all(there)) == 500_000
        with pytest.raises(anyio.ClosedResourceError):
            await here.receive()
        with pytest.raises(anyio.ClosedResourceError):
            await here.send(b"x")
        await here.aclose()


async def test_aclose_resets_if_data_is_unread():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(b"unread")
        await anyio.wait_all_tasks_blocked()
        await there.aclose()
        with pytest.raises(StreamReset):
            await here.receive()


async def test_aclose_wakes_a_reader_of_the_same_stream():
    async with linked() as ends, anyio.create_task_group() as group:
        here, _ = await both_ends(ends)

        async def read():
            with pytest.raises(anyio.ClosedResourceError):
                await here.receive()

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await here.aclose()


# --- backpressure, cancellation, misuse ----------------------------------------------------


async def test_a_slow_reader_holds_its_sender_and_memory_stays_bounded():
    sent = 0

    async def write(stream):
        nonlocal sent
        for _ in range(1024):
            await stream.send(bytes(65536))
            sent += 65536
        await stream.send_eof()

    async with linked() as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)
        group.start_soon(write, here)
        await anyio.wait_all_tasks_blocked()
        assert sent <= 2 * MIB
        other_here, other_there = await both_ends(ends)
        await other_here.send(b"not held up")
        assert await other_there.receive() == b"not held up"
        assert len(await read_all(there)) == sent == 64 * MIB


async def test_a_reader_in_step_with_its_sender_never_leaves_it_without_credit():
    taken = 0

    async def read(stream):
        nonlocal taken
        while True:
            taken += len(await stream.receive())

    async with (
        linked(capacity=MIB, max_window_growth_bytes=0) as ends,
        anyio.create_task_group() as group,
    ):
        here, there = await both_ends(ends)
        group.start_soon(read, there)
        for sent in range(MIB // 4, 4 * MIB, MIB // 4):
            await here.send(bytes(MIB // 4))
            await until(lambda sent=sent: taken == sent)
        group.cancel_scope.cancel()


async def test_a_stalled_pipe_holds_all_senders_within_one_buffer():
    one, other = pipe_pair(capacity=1000)
    link = make_link(one, Role.DIALER)
    async with anyio.create_task_group() as group:
        group.start_soon(link.run)
        for _ in range(100):
            stream = await link.open_stream()
            group.start_soon(stream.send, bytes(MIB))
        await anyio.wait_all_tasks_blocked()
        held = sum(state.outgoing.size for state in link._session.streams)
        assert held <= 32 * MIB
        assert len(other.incoming) == 1000
        group.cancel_scope.cancel()


async def test_a_cancelled_sender_tears_no_frame():
    async with linked(capacity=1000) as ends:
        here, there = await both_ends(ends)
        with anyio.move_on_after(0.05) as scope:
            await here.send(b"a" * 10 * MIB)
        assert scope.cancelled_caught
        await here.send_eof()
        got = await read_all(there)
        assert set(got) == {ord("a")}
        again, _ = await both_ends(ends)
        await again.send(b"the link lives")


async def test_a_cancelled_receiver_loses_nothing():
    async with linked() as ends:
        here, there = await both_ends(ends)
        for _ in range(50):
            with anyio.move_on_after(0) as scope:
                await there.receive()
            assert scope.cancelled_caught
        await here.send(b"complete")
        assert await there.receive() == b"complete"


async def test_two_receivers_or_two_senders_are_refused():
    async with linked() as ends, anyio.create_task_group() as group:
        here, _ = await both_ends(ends)
        group.start_soon(here.receive)
        group.start_soon(here.send, bytes(10 * MIB))
        await anyio.wait_all_tasks_blocked()
        for misuse in (here.receive, lambda: here.send(b"x"), here.send_eof):
            with pytest.raises(anyio.BusyResourceError):
                await misuse()
        group.cancel_scope.cancel()


async def test_a_ready_sender_or_receiver_lets_others_run():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    async with linked() as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)
        group.start_soon(count)
        for _ in range(200):
            await here.send(b"x")
        assert turns > 5
        await until(lambda: there._state.received.size == 200)
        before = turns
        for _ in range(200):
            await there.receive(1)
        assert turns - before > 5
        group.cancel_scope.cancel()


async def test_opening_waits_for_acknowledgements():
    async with linked(ack_backlog=2) as ends, anyio.create_task_group() as group:
        for _ in range(2):
            await ends.dialer.open_stream()
        opened = anyio.Event()

        async def third():
            await ends.dialer.open_stream()
            opened.set()

        group.start_soon(third)
        await anyio.wait_all_tasks_blocked()
        assert not opened.is_set()
        await (await ends.listener.accept_stream()).send(b"hello")
        with anyio.fail_after(5):
            await opened.wait()


async def test_opening_gives_up_in_time_if_nothing_is_acknowledged():
    async with linked(ack_backlog=1, open_timeout_seconds=0.05) as ends:
        await ends.dialer.open_stream()
        with pytest.raises(StreamLimitReached, match="ack_backlog"):
            await ends.dialer.open_stream()
