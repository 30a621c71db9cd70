"""stream-wan: one stream over TCP, TLS and yamux through a long path; a plain TCP socket beside it.

Both sides of every contestant live in network namespaces that `tests.net.wire` joins.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from benchmarks.benchmark import Benchmark, Contestant
from benchmarks.peers import LIBP2P, PLAIN_TCP, worker_command
from benchmarks.process import worker
from benchmarks.workers.payload import BLOCK_BYTES
from tests.net.wire import wire

from .bulk import MIB, Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options
    from benchmarks.process import Peer
    from tests.net.wire import End

ROUND_TRIP_SECONDS: Final = 0.063
# A tenth of what the wire's process carries, and little enough that a socket's 4 MiB of send
# buffer, the kernel's default bound, do not hold TCP back: the path does.
RATE_BYTES_PER_SECOND: Final = 25 * MIB
# As much as is under way on the path, the usual measure for a router's queue.
QUEUE_BYTES: Final = round(RATE_BYTES_PER_SECOND * ROUND_TRIP_SECONDS)

_NAMES: Final = (*LIBP2P, PLAIN_TCP)
_START: Final = {"transport": "tcp", "security": "tls"}
_QUICK_MIB: Final = 2
# About five seconds each: the first second is TCP's slow start.
_ROUND_MIB: Final[Mapping[str, int]] = {
    "peerloom-asyncio": 96,
    "peerloom-trio": 96,
    "py-libp2p": 96,
    "js-libp2p": 96,
    PLAIN_TCP: 96,
}


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        **_START,
        "round_trip_seconds": ROUND_TRIP_SECONDS,
        "rate_bytes_per_second": RATE_BYTES_PER_SECOND,
        "queue_bytes": QUEUE_BYTES,
        "loss": 0.0,
        "mtu": 1500,
        "write_bytes": BLOCK_BYTES,
        "mib_per_round": {name: _mib(name, options) for name in filter(options.wants, _NAMES)},
    }


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    """A sender on one side of the wire and a receiver on the other, of each."""
    async with AsyncExitStack() as stack:
        it = await stack.enter_async_context(
            wire(
                delay_seconds=ROUND_TRIP_SECONDS / 2,
                rate_bytes_per_second=RATE_BYTES_PER_SECOND,
                queue_bytes=QUEUE_BYTES,
            )
        )
        contestants = []
        for name in filter(options.wants, _NAMES):
            command = await anyio.to_thread.run_sync(worker_command, name)
            if command is not None:
                receiver, sender = [
                    await stack.enter_async_context(_worker_on(end, name, command))
                    for end in (it.right, it.left)
                ]
                pair = Pair(sender, receiver, _mib(name, options) * MIB)
                contestants.append(Contestant(name, pair.measure, pair.versions))
        yield contestants


@asynccontextmanager
async def _worker_on(end: End, name: str, command: Sequence[str]) -> AsyncIterator[Peer]:
    async with worker(name, end.command(*command), **_START, ip=end.address) as running:
        yield running


def _mib(name: str, options: Options) -> int:
    return _QUICK_MIB if options.quick else _ROUND_MIB[name]


BENCHMARK = Benchmark("stream-wan", "MiB/s", _contest, _settings)
