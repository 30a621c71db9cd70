"""Worker: a host's commands, the same for every implementation written in Python."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

import anyio

from .channel import Channel
from .host import LOOPBACK
from .scripts import (
    BULK,
    ECHO,
    open_streams,
    receive_bulk,
    send_bulk,
    send_echoes,
    send_parallel,
    serve_echo,
)

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from .channel import Commands
    from .host import Duplex, Host

Fields = dict[str, Any]


class Worker:
    """Answers the commands of the parent process."""

    def __init__(self, host: Host, tasks: TaskGroup) -> None:
        self._host = host
        self._tasks = tasks
        self.commands: Commands = {
            "start": self._start,
            "dial": host.dial,
            "disconnect": host.disconnect,
            "send": self._send,
            "window": self._window,
            "parallel": self._parallel,
            "open-streams": self._open_streams,
            "echo": self._echo,
            "shake-hands": self._shake_hands,
        }

    async def _start(self, transport: str, security: str, ip: str = LOOPBACK) -> Fields:
        async def run(*, task_status: anyio.abc.TaskStatus[Fields]) -> None:
            await self._host.run(
                {BULK: _serve_bulk, ECHO: _serve_echo},
                transport=transport,
                security=security,
                ip=ip,
                task_status=task_status,
            )

        facts: Fields = await self._tasks.start(run)
        return facts

    async def _send(self, peer: str, bytes: int, seed: int) -> Fields:  # noqa: A002
        stream = await self._host.open(peer, BULK)
        outcome = await send_bulk(stream, bytes, seed)
        await stream.close()
        return outcome

    async def _window(self, after_seconds: float) -> Fields:
        return {"bytes": self._host.window_after(after_seconds)}

    async def _parallel(self, peer: str, bytes: int, seed: int, streams: int) -> Fields:  # noqa: A002
        opened = [await self._host.open(peer, BULK) for _ in range(streams)]
        reports = await send_parallel(opened, bytes, seed)
        for stream in opened:
            await stream.close()
        return {"streams": reports}

    async def _open_streams(self, peer: str, count: int) -> Fields:
        return await open_streams(lambda: self._host.open(peer, ECHO), count)

    async def _echo(self, peer: str, count: int, bytes: int) -> Fields:  # noqa: A002
        stream = await self._host.open(peer, ECHO)
        outcome = await send_echoes(stream, count, bytes)
        await stream.close()
        return outcome

    async def _shake_hands(self, address: str, peer: str, count: int) -> Fields:
        seconds = 0.0
        for _ in range(count):
            begun = perf_counter()
            await self._host.dial_identified(address)
            seconds += perf_counter() - begun
            await self._host.disconnect(peer)
        return {"seconds": seconds}


def run_worker(host: Host, backend: str) -> None:
    """Serve the parent until it closes our standard input."""
    logging.basicConfig(level=logging.WARNING)
    anyio.run(_main, host, backend=backend)


async def _main(host: Host) -> None:
    async with anyio.create_task_group() as tasks:
        await Channel().serve(Worker(host, tasks).commands)
        tasks.cancel_scope.cancel()


async def _serve_bulk(stream: Duplex) -> None:
    await receive_bulk(stream)
    await stream.close()


async def _serve_echo(stream: Duplex) -> None:
    await serve_echo(stream)
    await stream.close()
