"""QUIC connections over real sockets: what tasks see."""

from __future__ import annotations

import hashlib

import anyio
import pytest
from multiaddr import Multiaddr

from peerloom._errors import LinkClosed, StreamLimitReached, StreamReset

from .quic_kit import MIB, PAIRS, echo, linked, read_all, until
from .security_kit import ALICE, BOB

SAME = [("qh3", "qh3"), ("aioquic", "aioquic")]


@pytest.fixture(params=SAME, ids=lambda pair: pair[0])
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


# --- data ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_both_ends_know_each_other_and_carry_bytes(pair) -> None:
    data = bytes(range(256)) * 4096 * 2
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        assert (ends.dialer.peer, ends.accepter.peer) == (BOB.peer_id, ALICE.peer_id)
        assert ends.dialer.public_key == BOB.public_key
        assert (ends.dialer.security, ends.dialer.muxer, ends.dialer.limits) == (None, None, None)
        assert ends.dialer.remote_address == ends.accepter.local_address
        here, there = await ends.stream()
        tasks.start_soon(echo, there)

        async def write() -> None:
            await here.send(data)
            await here.send_eof()

        tasks.start_soon(write)
        got = await read_all(here)
        assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
        await until(lambda: ends.dialer.round_trip_seconds is not None)


async def test_ipv6_connects_as_well() -> None:
    async with linked(address=Multiaddr("/ip6/::1/udp/0/quic-v1")) as ends:
        here, there = await ends.stream()
        await here.send(b"six")
        assert await there.receive() == b"six"
        assert str(ends.accepter.remote_address).startswith("/ip6/::1/udp/")


async def test_a_hundred_streams_run_at_once(pair) -> None:
    results = {}

    async def serve(link) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(echo, await link.accept_stream())

    async def ask(link, number) -> None:
        stream = await link.open_stream()
        await stream.send(data := number.to_bytes(2, "big") * 10_000)
        await stream.send_eof()
        results[number] = await read_all(stream) == data
        await stream.aclose()

    async with linked(pair) as ends:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve, ends.accepter)
                for number in range(100):
                    tasks.start_soon(ask, ends.dialer, number)
        await until(lambda: not ends.dialer.streams and not ends.accepter.streams)
    assert results == dict.fromkeys(range(100), True)


async def test_what_a_buffer_brings_is_taken_before_the_next_is_read(pair, monkeypatch) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        link, left = ends.accepter, []
        receive = link.receive

        def receive_and_look(*args) -> None:
            receive(*args)
            left.append(link._engine.next_event())

        streams = [await ends.stream() for _ in range(4)]
        monkeypatch.setattr(link, "receive", receive_and_look)
        for here, _ in streams:
            tasks.start_soon(here.send, bytes(100_000))
        for _, there in streams:
            await until(lambda there=there: there.received.size == 100_000)
        assert set(left) == {None}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_send_takes_every_kind_of_buffer(kind) -> None:
    item = kind(b"x" * 100)
    async with linked() as ends:
        here, there = await ends.stream()
        await here.send(item)
        if isinstance(item, bytearray):
            item[:] = b"y" * 100
        assert await there.receive() == b"x" * 100


async def test_receive_gives_no_more_than_asked_for() -> None:
    async with linked() as ends:
        here, there = await ends.stream()
        await here.send(b"abcdef")
        assert [await there.receive(4), await there.receive(4)] == [b"abcd", b"ef"]


# --- ends and resets -----------------------------------------------------------------------


async def test_half_close_ends_one_direction_only(pair) -> None:
    async with linked(pair) as ends:
        here, there = await ends.stream()
        await here.send_eof()
        await here.send_eof()
        with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
            await there.receive()
        with pytest.raises(anyio.ClosedResourceError):
            await here.send(b"x")
        await there.send(b"still here")
        assert await here.receive() == b"still here"


async def test_reset_reaches_a_blocked_reader_as_a_reset(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        done = anyio.Event()

        async def read() -> None:
            with pytest.raises(StreamReset):
                await there.receive()
            done.set()

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        here.reset()
        with pytest.raises(StreamReset):
            await here.receive()
        with pytest.raises(StreamReset):
            await here.send(b"x")
        with anyio.fail_after(5):
            await done.wait()
        with pytest.raises(StreamReset):
            await there.send(b"x")
        await until(lambda: not ends.dialer.streams and not ends.accepter.streams)


async def test_reset_reaches_a_blocked_sender(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        blocked = anyio.Event()

        async def write() -> None:
            with pytest.raises(StreamReset):
                await here.send(bytes(64 * MIB))
            blocked.set()

        tasks.start_soon(write)
        await anyio.sleep(0.05)
        assert not blocked.is_set()
        there.reset()
        with anyio.fail_after(5):
            await blocked.wait()


async def test_reset_of_a_stream_that_has_ended_harms_no_other(pair) -> None:
    async with linked(pair) as ends:
        here, there = await ends.stream()
        for each in (here, there):
            await each.send_eof()
        for each in (here, there):
            assert await read_all(each) == b""
        # What is carried afterwards brings the acknowledgements along: the engine is done with it.
        another, its_end = await ends.stream()
        for end in (here, there):
            end.reset()
        await another.send(b"unharmed")
        with anyio.fail_after(5):
            assert await its_end.receive() == b"unharmed"
        assert not ends.outcomes


async def test_aclose_delivers_what_was_sent(pair) -> None:
    async with linked(pair) as ends:
        here, there = await ends.stream()
        await here.send(bytes(500_000))
        await here.aclose()
        assert len(await read_all(there)) == 500_000
        for use in (here.receive, lambda: here.send(b"x")):
            with pytest.raises(anyio.ClosedResourceError):
                await use()
        await here.aclose()


async def test_aclose_resets_if_data_is_unread(pair) -> None:
    async with linked(pair) as ends:
        here, there = await ends.stream()
        await here.send(b"unread")
        await until(lambda: there.received.size)
        await there.aclose()
        with anyio.fail_after(5), pytest.raises(StreamReset):
            await here.receive()


async def test_an_answer_to_a_closed_stream_is_taken_and_dropped(pair) -> None:
    async with linked(pair, linger_bytes=1000) as ends:
        here, there = await ends.stream()
        await here.aclose()
        await there.send(b"an answer that nobody waits for")
        await there.send_eof()
        await until(lambda: not ends.dialer.streams)
        assert ends.dialer.streams.backlog.unread == 0


async def test_too_long_an_answer_to_a_closed_stream_is_stopped(pair) -> None:
    async with linked(pair, linger_bytes=1000) as ends:
        here, there = await ends.stream()
        await here.aclose()
        with anyio.fail_after(5), pytest.raises(StreamReset, match="reads no more"):
            await there.send(bytes(16 * MIB))


async def test_a_closed_stream_is_stopped_in_the_end(pair) -> None:
    async with linked(pair, linger_seconds=0.05, idle_timeout_seconds=2) as ends:
        here, there = await ends.stream()
        await here.aclose()
        await until(lambda: there.stopped)


async def test_aclose_wakes_a_reader_of_the_same_stream() -> None:
    async with linked() as ends, anyio.create_task_group() as tasks:
        here, _ = await ends.stream()

        async def read() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await here.receive()

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await here.aclose()


# --- misuse, cancellation ------------------------------------------------------------------


async def test_two_receivers_or_two_senders_are_refused() -> None:
    async with linked() as ends, anyio.create_task_group() as tasks:
        here, _ = await ends.stream()
        tasks.start_soon(here.receive)
        tasks.start_soon(here.send, bytes(32 * MIB))
        await anyio.sleep(0.05)
        for misuse in (here.receive, lambda: here.send(b"x"), here.send_eof):
            with pytest.raises(anyio.BusyResourceError):
                await misuse()
        tasks.cancel_scope.cancel()


async def test_a_cancelled_receiver_loses_nothing() -> None:
    async with linked() as ends:
        here, there = await ends.stream()
        for _ in range(50):
            with anyio.move_on_after(0) as scope:
                await there.receive()
            assert scope.cancelled_caught
        await here.send(b"complete")
        assert await there.receive() == b"complete"


# --- limits --------------------------------------------------------------------------------


async def test_opening_waits_until_the_other_side_allows_more(pair) -> None:
    async with linked(pair, max_inbound_streams=2) as ends, anyio.create_task_group() as tasks:
        opened = [await ends.stream() for _ in range(2)]
        third = anyio.Event()

        async def open_third() -> None:
            await ends.dialer.open_stream()
            third.set()

        tasks.start_soon(open_third)
        await anyio.sleep(0.05)
        assert not third.is_set()
        for stream in opened[0]:
            await stream.aclose()
        with anyio.fail_after(5):
            await third.wait()


async def test_opening_gives_up_in_time() -> None:
    async with linked(max_inbound_streams=1, open_timeout_seconds=0.05) as ends:
        await ends.stream()
        with pytest.raises(StreamLimitReached):
            await ends.dialer.open_stream()


async def test_two_hundred_and_fifty_six_streams_may_be_open(pair) -> None:
    async with linked(pair) as ends:
        for _ in range(256):
            await (await ends.dialer.open_stream()).send(b"!")
        with anyio.fail_after(10):
            for _ in range(256):
                await ends.accepter.accept_stream()


# --- the end of the connection -------------------------------------------------------------


async def test_closing_ends_both_runs_cleanly(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()

        async def wait_for(operation) -> None:
            with pytest.raises(LinkClosed):
                await operation()

        tasks.start_soon(wait_for, ends.accepter.accept_stream)
        tasks.start_soon(wait_for, here.receive)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(2):
            await ends.dialer.aclose()
        assert await ends.outcome(ends.dialer) is None
        assert await ends.outcome(ends.accepter) is None
        with pytest.raises(LinkClosed):
            await ends.dialer.open_stream()
        with pytest.raises((StreamReset, LinkClosed)):
            await there.receive()
        await ends.dialer.aclose()


async def test_closing_first_delivers_what_streams_had_ended_with(pair) -> None:
    async with linked(pair) as ends:
        here, there = await ends.stream()
        await here.send(bytes(200_000))
        await here.aclose()
        await ends.dialer.aclose()
        assert len(await read_all(there)) == 200_000


async def test_closing_resets_streams_that_still_run() -> None:
    async with linked() as ends:
        here, there = await ends.stream()
        await ends.dialer.aclose()
        with pytest.raises((StreamReset, LinkClosed)):
            await here.send(b"x")
        with anyio.fail_after(5), pytest.raises((StreamReset, LinkClosed)):
            await there.receive()


async def test_closing_is_bounded_if_the_other_side_is_gone(pair) -> None:
    async with linked(pair, close_timeout_seconds=0.2) as ends:
        here, _ = await ends.stream()
        await until(lambda: ends.dialer._engine.flushed)
        ends.endpoint._socket.close()
        await here.send(b"nobody is there")
        await here.send_eof()
        with anyio.fail_after(1):
            await ends.dialer.aclose()
        assert await ends.outcome(ends.dialer) is None


async def test_a_cancelled_run_tells_the_other_side_that_it_was_cut(pair) -> None:
    async with linked(pair) as ends:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ends.dialer.run)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        outcome = await ends.outcome(ends.accepter)
        assert isinstance(outcome, LinkClosed)
        assert "was cut" in str(outcome)


async def test_a_peer_that_falls_silent_is_noticed(pair) -> None:
    async with linked(pair, idle_timeout_seconds=1) as ends:
        here, _ = await ends.stream()
        ends.endpoint._socket.close()
        outcome = await ends.outcome(ends.dialer)
        assert isinstance(outcome, LinkClosed)
        assert "fallen silent" in str(outcome)
        with pytest.raises(LinkClosed, match="silent"):
            await here.receive()
