"""simulation: a thousand nodes in one process, for ten minutes of virtual time."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import anyio

from benchmarks.benchmark import Benchmark, Contestant, Limit, Measured
from benchmarks.peers import OUR_BACKENDS
from benchmarks.process import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options

SIZES: Final = (100, 300, 1000)
_QUICK_SIZES: Final = (11, 12, 13)
_TRIO: Final = {backend: name for name, backend in OUR_BACKENDS.items()}["trio"]
_LIMITS: Final = {"": Limit(120.0), "memory-mib": Limit(3 * 1024.0)}


def _sizes(options: Options) -> tuple[int, ...]:
    return _QUICK_SIZES if options.quick else SIZES


def _minutes(options: Options) -> int:
    return 1 if options.quick else 10


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        "nodes": _sizes(options),
        "connections_each": 10,
        "virtual_minutes": _minutes(options),
        "ping_interval_seconds": 60,
        "latency_seconds": "0.005 to 0.15 one way",
        "security": "plain",
    }


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    async def measure() -> Measured:
        minutes = _minutes(options)
        runs = [await _simulated(size, minutes) for size in _sizes(options)]
        return _compared(_sizes(options), runs)

    versions = {"peerloom": version("peerloom")}
    yield [Contestant(_TRIO, measure, versions)] if options.wants(_TRIO) else []


async def _simulated(size: int, minutes: int) -> dict[str, float]:
    command = (sys.executable, "-m", "benchmarks.workers.simulating", str(size), str(minutes))
    done = await anyio.run_process(command, stderr=None, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _compared(sizes: Sequence[int], runs: Sequence[dict[str, float]]) -> Measured:
    """The largest network's figures, those of the others beside them, and how they grow."""
    last, most = runs[-1], sizes[-1]
    beside = {what: last[what] for what in ("start", "processor-seconds", "memory-mib")}
    for size, run in zip(sizes[:-1], runs, strict=False):
        beside[f"seconds-{size}"] = run["seconds"]
        beside[f"memory-mib-{size}"] = run["memory-mib"]
    grown = most - sizes[0]
    beside["kib-a-node"] = 1024 * (last["memory-mib"] - runs[0]["memory-mib"]) / grown
    beside["slope"] = (last["seconds"] / most) / (runs[0]["seconds"] / sizes[0])
    return Measured(last["seconds"], beside)


BENCHMARK = Benchmark(
    "simulation",
    "s for 10 virtual minutes",
    _contest,
    _settings,
    rounds=1,
    warm_up_rounds=0,
    lower_is_better=True,
    limits=_LIMITS,
)
