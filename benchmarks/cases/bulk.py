"""Bulk: one stream, one direction, from the first write to the receiver's verified count."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from attrs import frozen

from benchmarks.benchmark import Benchmark, Contestant, WrongData
from benchmarks.peers import worker_command
from benchmarks.process import worker
from benchmarks.workers.payload import BLOCK_BYTES, expected_tag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options
    from benchmarks.process import Peer

MIB: Final = 1024 * 1024
_QUICK_MIB: Final = 2
_SEED: Final = 1
_WARM_UP_ROUNDS: Final = 2  # js-libp2p reaches its speed after a gibibyte, twice that of its first

# What each moves in one to two seconds; a figure per contestant, because a size that takes the
# fastest a second would take the slowest half a minute.
ROUND_MIB: Final[Mapping[str, int]] = {
    "peerloom-asyncio": 768,
    "peerloom-trio": 768,
    "py-libp2p": 96,
    "js-libp2p": 512,
    "blocking-tls": 1536,
}


@frozen
class Bulk:
    """A bulk benchmark: who takes part, over which transport and security."""

    names: Sequence[str]
    start: Mapping[str, Any]

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark of that name."""
        return Benchmark(name, "MiB/s", self.contest, self.settings, warm_up_rounds=_WARM_UP_ROUNDS)

    def settings(self, options: Options) -> Mapping[str, Any]:
        """What the report says of them."""
        sizes = {name: _mib(name, options) for name in self.names if options.wants(name)}
        return {**self.start, "write_bytes": BLOCK_BYTES, "mib_per_round": sizes}

    @asynccontextmanager
    async def contest(self, options: Options) -> AsyncIterator[Sequence[Contestant]]:
        """A sender and a receiver of each, in processes of their own."""
        async with AsyncExitStack() as stack:
            contestants = []
            for name in filter(options.wants, self.names):
                command = await anyio.to_thread.run_sync(worker_command, name)
                if command is not None:
                    receiver, sender = [
                        await stack.enter_async_context(worker(name, command, **self.start))
                        for _ in range(2)
                    ]
                    pair = Pair(sender, receiver, _mib(name, options) * MIB)
                    contestants.append(Contestant(name, pair.measure, pair.versions))
            yield contestants


@frozen
class Pair:
    sender: Peer
    receiver: Peer
    nbytes: int

    @property
    def versions(self) -> Mapping[str, str]:
        name, _, version = self.sender.version.partition(" ")
        return {name: version}

    async def measure(self) -> float:
        """MiB/s over a fresh connection and stream."""
        await self.sender.dial(self.receiver.address)
        sent = await self.sender.run("send", self.receiver.id, self.nbytes, _SEED)
        await self.sender.disconnect(self.receiver.id)
        wanted = {"count": self.nbytes, "tag": _expected_tag(_SEED, self.nbytes)}
        if wanted.items() > sent.items():
            raise WrongData(f"{self.receiver.kind}: {sent} instead of {wanted}")
        return self.nbytes / MIB / float(sent["seconds"])


def _mib(name: str, options: Options) -> int:
    return _QUICK_MIB if options.quick else ROUND_MIB[name]


_expected_tag = cache(expected_tag)
