"""stream-wan: one stream over TCP, TLS and yamux through a long path; a plain TCP socket beside it.

Both sides of every contestant live in network namespaces that `tests.net.wire` joins.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import OURS, Benchmark, Contestant, Limit, Measured
from benchmarks.peers import LIBP2P, PLAIN_TCP
from benchmarks.workers.payload import BLOCK_BYTES
from tests.interop.build import ToolchainMissing
from tests.net.wire import missing, wire

from .bulk import MIB, one_stream
from .pairs import pairs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options

    from .pairs import Pair

ROUND_TRIP_SECONDS: Final = 0.063
# An eighth of what the wire's process carries, and little enough that a socket's 4 MiB of send
# buffer, the kernel's default bound, do not hold TCP back (they do from 37 MiB/s): the path does.
RATE_BYTES_PER_SECOND: Final = 25 * MIB
# As much as is under way on the path, the usual measure for a router's queue.
QUEUE_BYTES: Final = round(RATE_BYTES_PER_SECOND * ROUND_TRIP_SECONDS)
WINDOW: Final = "window-after-10-round-trips-mib"

_NAMES: Final = (*LIBP2P, PLAIN_TCP)
_START: Final = {"transport": "tcp", "security": "tls"}
_QUICK_MIB: Final = 2
_ROUND_MIB: Final = 96  # about five seconds for everybody; half of one goes by in TCP's slow start
# What is under way may double while the queue fills; a window of that size holds nobody back.
_GROWN_MIB: Final = 2 * QUEUE_BYTES / MIB


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        **_START,
        "round_trip_seconds": ROUND_TRIP_SECONDS,
        "rate_bytes_per_second": RATE_BYTES_PER_SECOND,
        "queue_bytes": QUEUE_BYTES,
        "loss": 0.0,
        "mtu": 1500,
        "write_bytes": BLOCK_BYTES,
        "mib_per_round": _mib(options),
    }


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    """A sender on the left side of the wire and a receiver on the right, of each."""
    if reason := missing():
        raise ToolchainMissing(reason)
    async with (
        wire(
            delay_seconds=ROUND_TRIP_SECONDS / 2,
            rate_bytes_per_second=RATE_BYTES_PER_SECOND,
            queue_bytes=QUEUE_BYTES,
        ) as it,
        pairs(_NAMES, _START, options, through=it) as found,
    ):
        nbytes = _mib(options) * MIB
        yield [
            Contestant(pair.name, partial(_measure, pair, nbytes), pair.versions) for pair in found
        ]


async def _measure(pair: Pair, nbytes: int) -> Measured:
    figure = await one_stream(pair, nbytes)
    if not pair.name.startswith(OURS):
        return Measured(figure)
    window = await pair.listener.request("window", after_seconds=10 * ROUND_TRIP_SECONDS)
    return Measured(figure, {WINDOW: window["bytes"] / MIB})


def _mib(options: Options) -> int:
    return _QUICK_MIB if options.quick else _ROUND_MIB


BENCHMARK = Benchmark(
    "stream-wan", "MiB/s", _contest, _settings, limits={WINDOW: Limit(_GROWN_MIB)}
)
