"""Waiting until a socket can be read, on either event loop."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom._transports._readiness import StandingOrder, readiness_of
from peerloom.testing import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from peerloom._transports._readiness import Readiness


@contextmanager
def sockets() -> Iterator[tuple[socket.socket, socket.socket, Readiness]]:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)  # noqa: FBT003
        readiness = readiness_of(here, lambda: None)
        yield here, there, readiness
        readiness.close()


async def is_told(readiness: Readiness) -> bool:
    with anyio.move_on_after(0.05):
        await readiness.wait()
        return True
    return False


async def test_whoever_waits_is_told_again_and_again() -> None:
    with sockets() as (here, there, readiness):
        for number in range(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(readiness.wait)
                await anyio.wait_all_tasks_blocked()
                there.send(bytes([number]))
            assert here.recv(10) == bytes([number])
        assert not await is_told(readiness)


async def test_what_came_while_nobody_waited_is_told() -> None:
    with sockets() as (_, there, readiness):
        assert not await is_told(readiness)
        there.send(b"x")
        assert await is_told(readiness)
        assert await is_told(readiness)


async def test_a_socket_that_nobody_reads_does_not_keep_the_loop_busy() -> None:
    with sockets() as (_, there, readiness):
        assert not await is_told(readiness)
        there.send(b"x")
        for _ in range(5):
            await anyio.sleep(0.001)
        if isinstance(readiness, StandingOrder):
            assert not readiness._ordered
        assert await is_told(readiness)


async def test_the_end_is_something_to_read() -> None:
    with sockets() as (here, there, readiness):
        there.shutdown(socket.SHUT_WR)
        assert await is_told(readiness)
        assert here.recv(1) == b""


async def test_the_one_that_leads_is_told_in_the_stead_of_the_one_that_waits() -> None:
    with sockets() as (here, there, _):

        def read() -> None:
            with suppress(BlockingIOError):
                here.recv(10)

        readiness = readiness_of(here, read)
        told = list[str]()

        async def wait(name: str, kind: Callable[[], Awaitable[None]]) -> None:
            await kind()
            read()
            told.append(name)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, "reader", readiness.wait)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(wait, "leader", readiness.lead)
            await anyio.wait_all_tasks_blocked()
            there.send(b"x")
            await until(lambda: told == ["leader"])
            there.send(b"x")
            await until(lambda: told == ["leader", "reader"])
        readiness.close()


async def test_interrupting_wakes_both() -> None:
    with sockets() as (_, _, readiness), anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(readiness.wait)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(readiness.lead)
            await anyio.wait_all_tasks_blocked()
            readiness.interrupt()


async def test_closing_wakes_who_waits() -> None:
    with sockets() as (here, _, readiness):

        async def wait() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await readiness.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            readiness.close()
            anyio.notify_closing(here)
