"""Pairs: two processes of each contestant, one of which dials the other."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from attrs import frozen

from benchmarks.benchmark import Contestant, absent
from benchmarks.peers import worker_command
from benchmarks.process import worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.benchmark import Measured, Options
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

    def contestant(self, measure: Callable[[], Awaitable[float | Measured]]) -> Contestant:
        """What stands in the benchmark for this pair."""
        return Contestant(self.name, measure, self.versions, self.give_up)

    def give_up(self) -> str:
        """End both processes; the ends of their logs."""
        workers = (self.dialer, self.listener)
        logs = [each.log for each in workers]
        for each in workers:
            each.kill()
        return "\n".join(logs)


@asynccontextmanager
async def contest_of_pairs(
    names: Sequence[str],
    start: Mapping[str, Any],
    options: Options,
    enter: Callable[[Pair], Sequence[Contestant]],
    through: Wire | None = None,
) -> AsyncIterator[Sequence[Contestant]]:
    """A pair of each contestant that takes part; `start` is the workers' settings.

    `enter` makes of a pair what is measured. The dialler is on the left side of the wire, the
    listener on its right; without one, both are on the loopback interface.
    """
    async with AsyncExitStack() as stack:
        contestants: list[Contestant] = []
        for name in filter(options.wants, names):
            try:
                pair = await stack.enter_async_context(_pair(name, start, through))
            except Exception as error:  # noqa: BLE001 - isolation: the others go on
                contestants.append(absent(name, error))
            else:
                contestants += enter(pair)
        yield contestants


@asynccontextmanager
async def _pair(name: str, start: Mapping[str, Any], through: Wire | None) -> AsyncIterator[Pair]:
    right, left = (through.right, through.left) if through else (None, None)
    command = await anyio.to_thread.run_sync(worker_command, name)
    async with (
        _worker(name, command, start, right) as listener,
        _worker(name, command, start, left) as dialer,
    ):
        yield Pair(name, dialer, listener)


def _worker(
    name: str, command: Sequence[str], start: Mapping[str, Any], end: End | None
) -> AbstractAsyncContextManager[Peer]:
    if end is None:
        return worker(name, command, **start)
    return worker(name, end.command(*command), **start, ip=end.address)
