"""How yamux links end, over a pipe in memory: what tasks see."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom._errors import (
    LinkClosed,
    MuxerViolation,
    RecordError,
    StreamReset,
)
from peerloom._links import Role
from peerloom._muxers._yamux_frames import FIN, GO_AWAY, INITIAL_WINDOW_BYTES, PING, RST, SYN

from .yamux_tools import (
    Header,
    NullRecords,
    both_ends,
    decode,
    echo,
    frame,
    headers,
    linked,
    make_link,
    pipe_pair,
    read_all,
    until,
)

MIB = 1024 * 1024


# --- the end of the link -------------------------------------------------------------------


async def test_closing_a_link_ends_both_runs_cleanly():
    async with linked() as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)

        async def accept():
            with pytest.raises(LinkClosed):
                await ends.listener.accept_stream()

        async def read():
            with pytest.raises(LinkClosed):
                await here.receive()

        group.start_soon(accept)
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await ends.dialer.aclose()
        assert await ends.outcome(Role.DIALER) is None
        assert await ends.outcome(Role.LISTENER) is None
        with pytest.raises(LinkClosed):
            await here.send(b"x")
        with pytest.raises((StreamReset, LinkClosed)):
            await there.receive()
        with pytest.raises(LinkClosed):
            await ends.dialer.open_stream()
        await ends.dialer.aclose()


async def test_closing_a_link_first_delivers_what_streams_had_ended_with():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(bytes(200_000))
        await here.aclose()
        await ends.dialer.aclose()
        assert len(await read_all(there)) == 200_000


async def test_closing_a_link_is_bounded_if_the_other_side_does_not_read():
    one, _ = pipe_pair(capacity=10)
    link = make_link(one, Role.DIALER, close_timeout_seconds=0.1)
    async with anyio.create_task_group() as group:
        group.start_soon(link.run)
        stream = await link.open_stream()
        await stream.send(b"stuck")
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await link.aclose()
    assert one.closed


async def test_closing_a_link_that_never_ran_closes_its_pipe():
    one, _ = pipe_pair()
    link = make_link(one, Role.DIALER)
    await link.aclose()
    assert one.closed
    await link.run()
    with pytest.raises(LinkClosed):
        await link.open_stream()


async def test_a_broken_pipe_is_the_cause_and_no_clean_end_for_streams():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(b"before")
        await until(lambda: there._state.received.size)
        ends.pipe.cut()
        cause = await ends.outcome(Role.LISTENER)
        assert isinstance(cause, LinkClosed)
        assert "pipe broke" in str(cause)
        assert await there.receive() == b"before"
        with pytest.raises(LinkClosed):
            await there.receive()


async def test_a_stream_that_had_ended_keeps_its_clean_end_when_the_link_breaks():
    async with linked() as ends:
        here, there = await both_ends(ends)
        await here.send(b"all of it")
        await here.send_eof()
        await until(lambda: there._state.eof_received)
        ends.pipe.cut()
        await ends.outcome(Role.LISTENER)
        assert await read_all(there) == b"all of it"


async def test_a_cancelled_run_ends_the_link_for_everybody():
    one, _ = pipe_pair()
    link = make_link(one, Role.DIALER)
    async with anyio.create_task_group() as group:
        group.start_soon(link.run)
        stream = await link.open_stream()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert one.closed
    with pytest.raises(LinkClosed):
        await stream.receive()


class Peer:
    """A hand-written peer at the other end of a link's pipe."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.heard = b""

    async def hear(self, kind, flags):
        """The next frame of this kind, with these flags."""
        with anyio.fail_after(5):
            while True:
                for header in headers(self.heard):
                    if header.kind == kind and header.flags & flags == flags:
                        return header
                self.heard += await self.pipe.receive()


async def outcome_of(link, peer_acts):
    """How `run` ends after what the peer does."""
    result = None

    async def run():
        nonlocal result
        try:
            await link.run()
        except (LinkClosed, MuxerViolation, RecordError) as error:
            result = error

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            group.start_soon(peer_acts)
    return result


async def test_a_violation_is_answered_by_a_farewell_and_is_the_cause():
    one, other = pipe_pair()
    link, peer = make_link(one, Role.LISTENER), Peer(other)

    async def act():
        await other.send(frame(0, SYN, 1, 256 * 1024 + 1))
        assert await peer.hear(GO_AWAY, 0) == Header(GO_AWAY, 0, 0, 1)
        await other.aclose()

    assert isinstance(await outcome_of(link, act), MuxerViolation)


@pytest.mark.parametrize(
    ("reason", "text"), [(1, "broke the protocol"), (2, "internal error"), (7, "reason 7")]
)
async def test_a_farewell_with_a_reason_is_the_cause(reason, text):
    one, other = pipe_pair()

    async def act():
        await other.send(frame(GO_AWAY, 0, 0, reason))

    cause = await outcome_of(make_link(one, Role.DIALER), act)
    assert isinstance(cause, LinkClosed)
    assert text in str(cause)


async def test_the_end_of_the_pipe_between_frames_is_clean():
    one, other = pipe_pair()
    assert await outcome_of(make_link(one, Role.DIALER), other.aclose) is None


async def test_the_end_of_the_pipe_inside_a_frame_is_not_clean():
    one, other = pipe_pair()

    async def act():
        await other.send(frame(PING, SYN, 0, 1)[:5])
        await other.aclose()

    cause = await outcome_of(make_link(one, Role.DIALER), act)
    assert isinstance(cause, LinkClosed)
    assert "inside a frame" in str(cause)


async def test_an_end_that_the_records_call_unclean_is_the_cause():
    class Truncated(NullRecords):
        def end_of_input(self):
            raise RecordError("cut short")

    one, other = pipe_pair()
    link = make_link(one, Role.DIALER, records=Truncated())
    assert isinstance(await outcome_of(link, other.aclose), RecordError)


async def test_a_tampered_record_is_the_cause():
    class Tampered(NullRecords):
        def open(self, data):
            raise RecordError("tampered with")

    one, other = pipe_pair()
    link = make_link(one, Role.DIALER, records=Tampered())

    async def act():
        await other.send(b"x")

    assert isinstance(await outcome_of(link, act), RecordError)


async def test_what_came_behind_the_handshake_is_read_first():
    one, other = pipe_pair()
    link = make_link(one, Role.LISTENER)
    link._early = [frame(0, SYN | FIN, 1, 5, b"early")]
    async with anyio.create_task_group() as group:
        group.start_soon(link.run)
        assert await read_all(await link.accept_stream()) == b"early"
        await other.aclose()


async def test_a_silent_peer_ends_the_link():
    one, _ = pipe_pair()
    link = make_link(one, Role.DIALER, ping_timeout_seconds=0.1, ping_interval_seconds=0.2)
    cause = await outcome_of(link, checkpoint)
    assert isinstance(cause, LinkClosed)
    assert "silent" in str(cause)


async def test_a_peer_that_answers_keeps_the_link():
    async with linked(ping_timeout_seconds=0.5, ping_interval_seconds=0.06) as ends:
        await anyio.sleep(1.2)  # two pings
        assert not ends.dialer._over.is_set()
        assert not ends.listener._over.is_set()


async def test_a_flood_of_empty_frames_does_not_hold_the_loop():
    one, other = pipe_pair(capacity=MIB)
    link = make_link(one, Role.LISTENER)
    async with anyio.create_task_group() as group:
        group.start_soon(link.run)
        await other.send(frame(0, SYN, 1, 0))
        stream = await link.accept_stream()
        await other.send(frame(1, 0, 1, 0) * 40_000 + frame(0, RST, 1, 0))
        turns = 0
        while stream._state.reset is None:
            await checkpoint()
            turns += 1
        assert turns > 30
        await other.aclose()


async def test_links_over_sockets_survive_nothing_worse_than_a_cut():
    served = []

    async def serve(socket):
        link = make_link(socket, Role.LISTENER)
        served.append(link)
        async with anyio.create_task_group() as group:
            group.start_soon(run_quietly, link)
            with suppress(LinkClosed, StreamReset):
                await echo(await link.accept_stream())

    async def run_quietly(link):
        with suppress(LinkClosed):
            await link.run()

    data = bytes(range(256)) * 4096 * 4
    with anyio.fail_after(20):
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, serve)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            for goodbye in (True, False):
                socket = await anyio.connect_tcp("127.0.0.1", port)
                link = make_link(socket, Role.DIALER)
                group.start_soon(run_quietly, link)
                stream = await link.open_stream()
                async with anyio.create_task_group() as writers:
                    writers.start_soon(stream.send, data)
                    got = b""
                    while len(got) < len(data):
                        got += await stream.receive()
                assert got == data
                if goodbye:
                    await link.aclose()
                else:
                    await anyio.aclose_forcefully(socket)
                await served[-1]._over.wait()
                await link._over.wait()
                with pytest.raises(LinkClosed):
                    await stream.send(b"x")
            group.cancel_scope.cancel()


async def test_a_link_that_closes_waits_for_no_stream_that_the_other_side_resets():
    async with linked(close_timeout_seconds=60) as ends, anyio.create_task_group() as group:
        here, there = await both_ends(ends)
        await here.send(bytes(2 * INITIAL_WINDOW_BYTES))  # more than anybody may send
        await here.aclose()
        group.start_soon(ends.dialer.aclose)
        await anyio.wait_all_tasks_blocked()
        there.reset()
        assert await ends.outcome(Role.DIALER) is None


async def test_a_session_is_heard_in_whole_frames():
    one, other = pipe_pair()
    link = make_link(one, Role.DIALER)
    async with anyio.create_task_group() as group:
        group.start_soon(link.run)
        stream = await link.open_stream()
        await stream.send(b"whole")
        await stream.send_eof()
        peer = Peer(other)
        await peer.hear(1, FIN)
        assert [body for _, body in decode(peer.heard) if body] == [b"whole"]
        await other.aclose()
