"""stream-wan: one stream over TCP, TLS and yamux through a long path; a plain TCP socket beside it.

Both sides of every contestant live in network namespaces that `tests.net.wire` joins.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import OURS, Benchmark, Limit, Measured
from benchmarks.peers import LIBP2P, PLAIN_TCP
from benchmarks.workers.payload import BLOCK_BYTES
from tests.interop.build import ToolchainMissing
from tests.net.wire import missing, wire

from .bulk import MIB, one_stream
from .pairs import contest_of_pairs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Contestant, Options

    from .pairs import Pair

ROUND_TRIP_SECONDS: Final = 0.063
# An eighth of what the wire's process carries: it takes a fifth of a core.
RATE_BYTES_PER_SECOND: Final = 25 * MIB
# As much as is under way on the path, the usual measure for a router's queue.
QUEUE_BYTES: Final = round(RATE_BYTES_PER_SECOND * ROUND_TRIP_SECONDS)
# The usual 4 MiB of send buffer hold TCP back on such a path: BBR takes a buffer that is full of
# what is under way for an idle application, stays in its start-up, and overflows the queue again
# and again. Ours and js-libp2p lost a tenth by that, a plain socket everything above 37 MiB/s.
KERNEL: Final = {"net.ipv4.tcp_wmem": "4096 16384 33554432"}
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
        "kernel": {**KERNEL, **_congestion_control()},
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
    nbytes = _mib(options) * MIB

    def enter(pair: Pair) -> Sequence[Contestant]:
        return [pair.contestant(partial(_measure, pair, nbytes))]

    async with (
        wire(
            delay_seconds=ROUND_TRIP_SECONDS / 2,
            rate_bytes_per_second=RATE_BYTES_PER_SECOND,
            queue_bytes=QUEUE_BYTES,
            kernel=KERNEL,
        ) as it,
        contest_of_pairs(_NAMES, _START, options, enter, through=it) as contestants,
    ):
        yield contestants


async def _measure(pair: Pair, nbytes: int) -> Measured:
    figure = await one_stream(pair, nbytes)
    if not pair.name.startswith(OURS):
        return Measured(figure)
    window = await pair.listener.request("window", after_seconds=10 * ROUND_TRIP_SECONDS)
    return Measured(figure, {WINDOW: window["bytes"] / MIB})


def _congestion_control() -> Mapping[str, str]:
    """What new namespaces inherit from the machine."""
    file = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return {"net.ipv4.tcp_congestion_control": file.read_text(encoding="ascii").strip()}


def _mib(options: Options) -> int:
    return _QUICK_MIB if options.quick else _ROUND_MIB


BENCHMARK = Benchmark(
    "stream-wan", "MiB/s", _contest, _settings, limits={WINDOW: Limit(_GROWN_MIB)}
)
