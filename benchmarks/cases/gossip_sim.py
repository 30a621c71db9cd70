"""gossip-sim: a thousand simulated nodes, and how long a message takes to each of them."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import anyio

from benchmarks.benchmark import Benchmark, Contestant, Limit, Measured, WrongData
from benchmarks.peers import OUR_BACKENDS
from benchmarks.process import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options

_NODES: Final = 1000
_QUICK_NODES: Final = 20
_P99_MILLISECONDS: Final = 600.0
_OURS: Final = "6-5-12"
_CALIMERO: Final = "4-2-8"
_TRIO: Final = {backend: name for name, backend in OUR_BACKENDS.items()}["trio"]


def _nodes(options: Options) -> int:
    return _QUICK_NODES if options.quick else _NODES


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        "figure": f"p99 over all nodes and messages, degrees {_OURS}",
        "nodes": _nodes(options),
        "connections_each": 10,
        "virtual_round_trip_seconds": 0.1,
        "security": "plain",
        "signing": "strict-sign",
    }


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    async def measure() -> Measured:
        nodes = _nodes(options)
        default, sparse = [await _simulated(nodes, each) for each in (_OURS, _CALIMERO)]
        beside = {what: default[what] for what in ("p50", "max", "copies", "processor-seconds")}
        beside |= {f"{what}-{_CALIMERO}": sparse[what] for what in ("p50", "p99", "copies")}
        return Measured(default["p99"], beside)

    versions = {"peerloom": version("peerloom")}
    yield [Contestant(_TRIO, measure, versions)] if options.wants(_TRIO) else []


async def _simulated(nodes: int, degrees: str) -> dict[str, float]:
    module = "benchmarks.workers.gossip_simulating"
    command = (sys.executable, "-m", module, str(nodes), degrees)
    done = await anyio.run_process(command, stderr=None, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout)
    if found["delivered-percent"] != 100:
        raise WrongData(f"{found['delivered-percent']:.4g} % were delivered, degrees {degrees}")
    return found


BENCHMARK = Benchmark(
    "gossip-sim",
    "ms (p99), virtual",
    _contest,
    _settings,
    rounds=1,
    warm_up_rounds=0,
    lower_is_better=True,
    limits={"": Limit(_P99_MILLISECONDS), f"p99-{_CALIMERO}": Limit(_P99_MILLISECONDS)},
)
