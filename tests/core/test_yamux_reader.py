"""Who reads a link's socket: its own task, or a stream's that waits and goes before it."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom import LinkClosed, StreamReset
from peerloom._errors import MuxerViolation, RecordError
from peerloom._links import Role
from peerloom._muxers._yamux_frames import ACK, DATA, GO_AWAY, PING, SYN
from peerloom._muxers._yamux_session import FRAMES_A_TURN
from peerloom._transports._socket_pipe import SocketPipe

from .yamux_tools import NullRecords, frame, make_link, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from peerloom._muxers._yamux_link import YamuxLink
    from peerloom._muxers._yamux_stream import YamuxStream

ROUNDS = 4  # after so many a stream leads
FAREWELL = b"records' own"


class Brittle(NullRecords):
    """Records that end with a farewell of their own, or break as soon as they are told to."""

    def __init__(self) -> None:
        self.broken = False

    def open(self, data: bytes) -> Iterator[bytes]:
        if self.broken:
            raise RecordError("tampered with")
        if data == FAREWELL:
            raise anyio.EndOfStream
        yield data


class Other:
    """The other side: bytes of its own choice on a socket, from streams' first ones on."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def say(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def cut(self) -> None:
        """End it by a RST, not by a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Scene:
    """A link over TCP, with two streams of the other side's."""

    link: YamuxLink
    pipe: SocketPipe
    first: YamuxStream
    second: YamuxStream
    other: Other
    outcome: BaseException | None = None

    def __init__(self) -> None:
        self.run_ended = anyio.Event()

    @property
    def led(self) -> bool:
        return self.link.reader._leader is not None

    async def until_led(self) -> None:
        with anyio.fail_after(5):
            while not self.led:
                await checkpoint()

    async def until_over(self) -> BaseException | None:
        with anyio.fail_after(5):
            await self.run_ended.wait()
        return self.outcome

    async def converse(self, stream: YamuxStream, number: int) -> None:
        """Speak and be answered, until a stream that waits leads."""
        for _ in range(ROUNDS):
            await stream.send(b"?")
            self.other.say(frame(DATA, 0, number, 1, b"!"))
            assert await stream.receive() == b"!"
        await stream.send(b"?")


@asynccontextmanager
async def scene(records: Brittle | None = None) -> AsyncIterator[Scene]:
    here = Scene()
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    ours.setblocking(False)  # noqa: FBT003
    here.other = Other(theirs)
    here.pipe = SocketPipe(ours)
    here.link = make_link(here.pipe, Role.LISTENER, records=records)

    async def run() -> None:
        try:
            await here.link.run()
        except (LinkClosed, RecordError, MuxerViolation) as error:
            here.outcome = error
        here.run_ended.set()

    with theirs, anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            here.other.say(frame(DATA, SYN, 1, 1, b"1"), frame(DATA, SYN, 3, 1, b"3"))
            here.first, here.second = [await here.link.accept_stream() for _ in range(2)]
            for stream in (here.first, here.second):
                await stream.receive()
            await here.converse(here.first, 1)
            yield here
            tasks.cancel_scope.cancel()


class Heard:
    """What one `receive` comes to, in a task of its own."""

    data: bytes | None = None
    error: BaseException | None = None

    @property
    def over(self) -> bool:
        return self.data is not None or self.error is not None


async def hear(stream: YamuxStream, heard: Heard) -> None:
    try:
        heard.data = await stream.receive()
    except (LinkClosed, StreamReset, anyio.ClosedResourceError) as error:
        heard.error = error


@asynccontextmanager
async def leading(here: Scene) -> AsyncIterator[Heard]:
    """The first stream waits, and reads for all."""
    heard = Heard()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hear, here.first, heard)
        await here.until_led()
        yield heard
        await until(lambda: heard.over)


async def test_whoever_converses_leads_and_is_answered() -> None:
    async with scene() as here:
        async with leading(here) as heard:
            here.other.say(frame(DATA, 0, 1, 4, b"word"))
        assert heard.data == b"word"
        assert not here.led


async def test_the_one_that_leads_reads_for_the_others() -> None:
    async with scene() as here, leading(here):
        here.other.say(frame(DATA, 0, 3, 5, b"other"))
        assert await here.second.receive() == b"other"
        assert here.led
        here.other.say(frame(DATA, 0, 1, 1))


async def test_when_nobody_waits_the_link_is_read_all_the_same() -> None:
    async with scene() as here:
        async with leading(here):
            here.other.say(frame(DATA, 0, 1, 1))
        assert not here.led
        here.other.say(frame(DATA, 0, 3, 5, b"other"))
        await until(lambda: here.second.receive_now() == b"other")
        here.other.say(frame(PING, SYN, 0, 77))
        here.other.socket.settimeout(5)
        heard = b""
        while frame(PING, ACK, 0, 77) not in heard:
            heard += here.other.socket.recv(1024) if await _readable(here.other.socket) else b""


async def _readable(sock: socket.socket) -> bool:
    with anyio.move_on_after(0.1):
        await anyio.wait_readable(sock)
        return True
    return False


async def test_one_that_is_cancelled_leaves_the_link_to_be_read() -> None:
    async with scene() as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hear, here.first, Heard())
            await here.until_led()
            here.other.say(frame(DATA, 0, 1, 4, b"lost"))
            tasks.cancel_scope.cancel()
        assert not here.led
        assert await here.first.receive() == b"lost"
        here.other.say(frame(DATA, 0, 3, 5, b"other"))
        assert await here.second.receive() == b"other"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_one_that_asyncio_cancels_when_something_has_come_leaves_it_to_the_reader() -> None:
    async with scene() as here:
        waiting = asyncio.ensure_future(here.first.receive())
        await here.until_led()
        here.other.say(frame(DATA, 0, 3, 5, b"other"))
        await until(lambda: here.pipe._held)  # a turn before the one that leads takes it
        waiting.cancel()
        assert await here.second.receive() == b"other"
        assert waiting.cancelled()


@pytest.mark.parametrize("end", ["reset", "aclose"])
async def test_one_whose_stream_is_ended_meanwhile_hears_of_it(end: str) -> None:
    async with scene() as here:
        async with leading(here) as heard:
            if end == "reset":
                here.first.reset()
            else:
                await here.first.aclose()
        assert isinstance(heard.error, StreamReset if end == "reset" else anyio.ClosedResourceError)
        here.other.say(frame(DATA, 0, 3, 5, b"other"))
        assert await here.second.receive() == b"other"


async def test_more_than_a_turns_work_is_left_to_the_reader() -> None:
    async with scene() as here:
        count = 3 * FRAMES_A_TURN
        async with leading(here):
            here.other.say(*(frame(DATA, 0, 3, 1, b"x") for _ in range(count)))
            got = b""
            while len(got) < count:
                got += await here.second.receive()
            here.other.say(frame(DATA, 0, 1, 1))


async def test_a_violation_ends_the_link_and_is_the_cause() -> None:
    async with scene() as here:
        async with leading(here) as heard:
            here.other.say(frame(DATA, 0, 3, 1 << 30, b""))
        assert isinstance(heard.error, LinkClosed)
        assert isinstance(await here.until_over(), MuxerViolation)


async def test_a_tampered_record_ends_the_link_and_is_the_cause() -> None:
    records = Brittle()
    async with scene(records) as here:
        async with leading(here):
            records.broken = True
            here.other.say(b"x")
        assert isinstance(await here.until_over(), RecordError)


async def test_a_farewell_ends_the_link() -> None:
    async with scene() as here:
        async with leading(here) as heard:
            here.other.say(frame(GO_AWAY, 0, 0, 2))
        assert isinstance(heard.error, LinkClosed)
        assert "internal error" in str(await here.until_over())


async def test_a_farewell_of_the_records_ends_the_link_and_not_just_a_stream() -> None:
    async with scene(Brittle()) as here:
        async with leading(here) as heard:
            here.other.say(FAREWELL)
        assert isinstance(heard.error, LinkClosed)
        assert await here.until_over() is None


async def test_a_reason_for_ending_the_link_counts_although_the_socket_has_ended_as_well() -> None:
    async with scene() as here:
        async with leading(here):
            here.other.say(frame(GO_AWAY, 0, 0, 2))
            here.other.socket.shutdown(socket.SHUT_WR)
        assert "internal error" in str(await here.until_over())


async def test_a_violation_counts_although_the_socket_has_ended_as_well() -> None:
    async with scene() as here:
        async with leading(here):
            here.other.say(frame(DATA, 0, 3, 1 << 30, b""))
            here.other.socket.shutdown(socket.SHUT_WR)
        assert isinstance(await here.until_over(), MuxerViolation)


@pytest.mark.parametrize("reset", [False, True])
async def test_the_end_of_the_socket_ends_the_link(reset: bool) -> None:  # noqa: FBT001
    async with scene() as here:
        async with leading(here) as heard:
            if reset:
                here.other.cut()
            else:
                here.other.socket.shutdown(socket.SHUT_WR)
        assert isinstance(heard.error, LinkClosed)
        cause = await here.until_over()
        if reset:
            assert cause is not None
            assert cause.__cause__ is not None
            assert isinstance(cause.__cause__.__cause__, ConnectionResetError)
        else:
            assert cause is None


async def test_closing_the_link_wakes_the_one_that_leads() -> None:
    async with scene() as here:
        async with leading(here) as heard:
            here.other.socket.close()
            await here.link.aclose()
        assert isinstance(heard.error, LinkClosed)


async def test_many_that_converse_all_get_their_answers() -> None:
    async with scene() as here:
        await here.converse(here.second, 3)
        answers: list[bytes] = []

        async def go_on(stream: YamuxStream, number: int) -> None:
            for count in range(50):
                await stream.send(b"?")
                here.other.say(frame(DATA, 0, number, 1, bytes([count])))
                answers.append(await stream.receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go_on, here.first, 1)
            tasks.start_soon(go_on, here.second, 3)
        assert sorted(answers) == sorted(bytes([count]) for count in range(50) for _ in range(2))
