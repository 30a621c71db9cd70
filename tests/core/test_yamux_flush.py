"""Who waits for an answer sends the question itself, over sockets; see `YamuxLink.flush_now`."""

from __future__ import annotations

import math
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom._errors import LinkClosed, RecordError
from peerloom._links import Role
from peerloom._transports._socket_pipe import SocketPipe

from .yamux_tools import NullRecords, echo, make_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerloom._muxers._yamux_link import YamuxLink
    from peerloom._muxers._yamux_stream import YamuxStream


class _Watched(SocketPipe):
    """Counts what it is asked to take at once, and takes little of it."""

    def __init__(self, sock: socket.socket, most_bytes: int) -> None:
        super().__init__(sock)
        self.asked = 0
        self._most_bytes = most_bytes

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        self.asked += 1
        return super().send_now(memoryview(data)[: self._most_bytes])


@asynccontextmanager
async def _linked(
    most_bytes: int = 1024,
) -> AsyncIterator[tuple[YamuxLink, YamuxLink, list[_Watched]]]:
    """A dialler and a listener, and their ends of the pipe."""
    pipes = []
    for sock in socket.socketpair():
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        pipes.append(_Watched(sock, most_bytes))
    links = [make_link(pipe, role) for pipe, role in zip(pipes, Role, strict=True)]
    with anyio.move_on_after(math.inf) as scope:
        async with anyio.create_task_group() as tasks:
            for link in links:
                tasks.start_soon(link.run)
            yield links[0], links[1], pipes
            scope.cancel()


async def _ask(stream: YamuxStream, question: bytes) -> None:
    await stream.send(question)
    answer = b""
    while len(answer) < len(question):
        answer += await stream.receive()
    assert answer == question


async def test_a_question_does_not_wait_for_the_writer() -> None:
    async with _linked() as (dialer, listener, pipes), anyio.create_task_group() as tasks:
        here = await dialer.open_stream()
        with anyio.fail_after(10):
            await here.send(b"first")
            tasks.start_soon(echo, await listener.accept_stream())
            assert await here.receive() == b"first"
            before = [pipe.asked for pipe in pipes]
            for number in range(10):
                await _ask(here, b"%d" % number)
        # Once in a while a stream's call gives the others their turn, the writer among them.
        for pipe, count in zip(pipes, before, strict=True):
            assert pipe.asked >= count + 8
        await here.aclose()


async def test_what_the_system_does_not_take_at_once_follows_in_order() -> None:
    async with _linked(most_bytes=5) as (dialer, listener, pipes):
        async with anyio.create_task_group() as tasks:
            here = await dialer.open_stream()
            with anyio.fail_after(10):
                for number in range(20):
                    await here.send(bytes([number]) * 1000)
                    if number == 0:
                        tasks.start_soon(echo, await listener.accept_stream())
                    left = 1000
                    while left:
                        piece = await here.receive(left)
                        assert set(piece) == {number}
                        left -= len(piece)
            await here.aclose()
        assert all(pipe.asked for pipe in pipes)


async def test_a_broken_socket_is_told_of_by_the_writer() -> None:
    async with _linked(most_bytes=0) as (dialer, listener, _):
        here = await dialer.open_stream()
        await here.send(b"is anybody there?")
        await listener.aclose()
        with anyio.fail_after(10), pytest.raises(LinkClosed):
            await here.receive()


async def test_streams_that_were_woken_together_speak_together() -> None:
    async with _linked() as (dialer, listener, pipes), anyio.create_task_group() as tasks:
        streams = [await dialer.open_stream() for _ in range(10)]
        for stream in streams:
            await stream.send(b"all at once")
        with anyio.fail_after(10):
            for _ in streams:
                tasks.start_soon(echo, await listener.accept_stream())
            for stream in streams:
                assert await stream.receive() == b"all at once"
        assert pipes[1].asked == 0
        for stream in streams:
            await stream.aclose()


async def _answer_each(stream: YamuxStream, sizes: list[int]) -> None:
    for size in sizes:
        left = size
        while left:
            left -= len(await stream.receive(left))
        await stream.send(b"ok")


async def test_a_large_question_beside_stalled_streams_is_sent_to_its_end() -> None:
    """More than a stream's share: what is sent at once must not wake it before it waits."""
    large, small, last = [4 << 20] * 6, [3, 3], 300 << 10
    async with (
        _linked(most_bytes=1 << 20) as (dialer, listener, _),
        anyio.create_task_group() as tasks,
    ):
        here = await dialer.open_stream()

        async def ask(size: int) -> None:
            await here.send(bytes(size))
            assert await here.receive() == b"ok"

        with anyio.fail_after(20):
            tasks.start_soon(here.send, b"")
            there = await listener.accept_stream()
            tasks.start_soon(_answer_each, there, [*large, *small, last])
            for size in large:
                await ask(size)
            assert here._state.send_window > last  # it has grown, and is not what holds it
            for _ in range(4):
                stalled = await dialer.open_stream()
                tasks.start_soon(stalled.send, bytes(2 << 20))
                await listener.accept_stream()
            await anyio.wait_all_tasks_blocked()
            for size in [*small, last]:
                await ask(size)
        tasks.cancel_scope.cancel()


class _UsedUp(NullRecords):
    def seal(self, *_: object) -> bytes:
        raise RecordError("used up its nonces")


async def test_a_link_that_cannot_speak_before_it_runs_ends_as_soon_as_it_does() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)  # noqa: FBT003 - the standard library's signature
    link = make_link(SocketPipe(here), Role.DIALER, records=_UsedUp())

    async def run() -> None:
        with pytest.raises(RecordError, match="used up"):
            await link.run()

    stream = await link.open_stream()
    await stream.send(b"a question")
    with there, anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            with pytest.raises(LinkClosed, match="used up"):
                await stream.receive()
