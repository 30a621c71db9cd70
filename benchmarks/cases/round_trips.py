"""round-trips: from `open_stream` to the first byte of the answer, counted in virtual time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from benchmarks.benchmark import Benchmark, Contestant, Limit, Measured
from benchmarks.peers import OUR_BACKENDS
from tests.simulation.round_trips import ROUND_TRIP_SECONDS, Way, count_round_trips

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options

_TCP: Final[Sequence[Way]] = ("tls", "noise")
_LIMITS: Final = {
    "": Limit(3.0),
    "tcp-unknown": Limit(4.0),
    "quic-known": Limit(2.0),
    "quic-unknown": Limit(2.0),
}


def _settings(options: Options) -> Mapping[str, Any]:  # noqa: ARG001 - one round is all there is
    return {
        "figure": "TCP to a known peer, the worse of TLS and Noise",
        "virtual_round_trip_seconds": ROUND_TRIP_SECONDS,
    }


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    versions = {"peerloom": version("peerloom")}
    yield [
        Contestant(name, partial(_measure, backend), versions)
        for name, backend in OUR_BACKENDS.items()
        if options.wants(name)
    ]


async def _measure(backend: str) -> Measured:
    """In a thread: a loop of virtual time does not run inside of another."""
    return await anyio.to_thread.run_sync(_count, backend)


def _count(backend: str) -> Measured:
    def worst(ways: Sequence[Way], *, known: bool) -> float:
        return max(count_round_trips(backend, way, known=known) for way in ways)

    beside = {
        "tcp-unknown": worst(_TCP, known=False),
        "quic-known": worst(["quic"], known=True),
        "quic-unknown": worst(["quic"], known=False),
    }
    return Measured(worst(_TCP, known=True), beside)


BENCHMARK = Benchmark(
    "round-trips",
    "round trips",
    _contest,
    _settings,
    rounds=1,
    warm_up_rounds=0,
    lower_is_better=True,
    limits=_LIMITS,
)
