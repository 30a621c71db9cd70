"""Pairs: two processes of each contestant, one of which dials the other."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from attrs import frozen

from benchmarks.peers import worker_command
from benchmarks.process import worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.benchmark import Options
    from benchmarks.process import Peer
    from tests.net.wire import End, Wire


@frozen
class Pair:
    """Two workers of one implementation.

    Attributes:
        name: the contestant.
    """

    name: str
    dialer: Peer
    listener: Peer

    @property
    def versions(self) -> Mapping[str, str]:
        """What runs in them."""
        name, _, version = self.dialer.version.partition(" ")
        return {name: version}

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[str]:
        """A fresh connection; gives the listener's peer id."""
        await self.dialer.dial(self.listener.address)
        yield self.listener.id
        await self.dialer.disconnect(self.listener.id)


@asynccontextmanager
async def pairs(
    names: Sequence[str], start: Mapping[str, Any], options: Options, through: Wire | None = None
) -> AsyncIterator[Sequence[Pair]]:
    """A pair of each contestant that takes part; `start` is the workers' settings.

    The dialler is on the left side of the wire, the listener on its right; without one, both
    are on the loopback interface.
    """
    ends = (through.right, through.left) if through else (None, None)
    async with AsyncExitStack() as stack:
        found = []
        for name in filter(options.wants, names):
            command = await anyio.to_thread.run_sync(worker_command, name)
            if command is not None:
                listener, dialer = [
                    await stack.enter_async_context(_worker(name, command, start, end))
                    for end in ends
                ]
                found.append(Pair(name, dialer, listener))
        yield found


def _worker(
    name: str, command: Sequence[str], start: Mapping[str, Any], end: End | None
) -> AbstractAsyncContextManager[Peer]:
    if end is None:
        return worker(name, command, **start)
    return worker(name, end.command(*command), **start, ip=end.address)
