"""A socket as a pipe that a second task may read."""

from __future__ import annotations

import socket

import anyio

from peerloom._transports._socket_pipe import SocketPipe


async def test_an_interrupt_counts_for_a_reader_that_comes_after_it() -> None:
    here, there = socket.socketpair()
    with there, anyio.fail_after(5):
        here.setblocking(False)  # noqa: FBT003
        pipe = SocketPipe(here)
        there.send(b"one")
        assert await pipe.receive() == b"one"
        pipe.interrupt()
        assert await pipe.receive() == b""
        there.send(b"two")
        assert await pipe.receive() == b"two"
        await pipe.aclose()
