"""Worker: a host's commands, the same for every implementation written in Python."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio

from .channel import Channel
from .host import LOOPBACK
from .scripts import BULK, receive_bulk, send_bulk

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
        }

    async def _start(self, transport: str, security: str, ip: str = LOOPBACK) -> Fields:
        async def run(*, task_status: anyio.abc.TaskStatus[Fields]) -> None:
            await self._host.run(
                {BULK: _serve_bulk},
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
