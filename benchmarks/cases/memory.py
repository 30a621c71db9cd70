"""memory: what an idle connection costs the node that listens, in memory and in processor time."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from attrs import evolve, frozen

from benchmarks.benchmark import Benchmark, Contestant, Limit, Measured, absent
from benchmarks.peers import OUR_BACKENDS, worker_command
from benchmarks.process import worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from benchmarks.benchmark import Options
    from benchmarks.process import Peer

TLS: Final = {"transport": "tcp", "security": "tls"}
NAMES: Final = (*OUR_BACKENDS, "js-libp2p")
_KIB: Final = 1024
_DIAL_SECONDS: Final = 600.0
_LIMITS: Final = {
    "": Limit(100.0),
    "processor-percent": Limit(5.0),
    "processor-percent-few": Limit(1.0),
}
# By default js-libp2p takes no more than 300 connections in all.
_MOST_PEERS: Final = {"js-libp2p": 30}


@frozen
class Plan:
    """How many connections, from how many peers, for how long.

    Attributes:
        few_peers, few_each: for the first figure of processor time, and so many of each.
        peers, each: the others that come then.
        settle_seconds: until identify and the like are done.
        hold_seconds: how long each number of connections is held.
    """

    few_peers: int = 25
    few_each: int = 4
    peers: int = 125
    each: int = 8
    settle_seconds: float = 5.0
    hold_seconds: float = 60.0


_QUICK: Final = Plan(few_peers=2, few_each=1, peers=3, each=2, settle_seconds=0, hold_seconds=1)


def _plan(name: str, options: Options) -> Plan:
    plan = _QUICK if options.quick else Plan()
    return evolve(plan, peers=min(plan.peers, _MOST_PEERS.get(name, plan.peers)))


def _settings(options: Options) -> Mapping[str, Any]:
    plans = {name: _plan(name, options) for name in NAMES if options.wants(name)}
    plan = next(iter(plans.values()))
    return {
        **TLS,
        "connections": {name: plan.peers * plan.each for name, plan in plans.items()},
        "peers": {name: plan.peers for name, plan in plans.items()},
        "few_connections": plan.few_peers * plan.few_each,
        "settle_seconds": plan.settle_seconds,
        "hold_seconds": plan.hold_seconds,
    }


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    yield [await _contestant(name, options) for name in filter(options.wants, NAMES)]


async def _contestant(name: str, options: Options) -> Contestant:
    try:
        command = await anyio.to_thread.run_sync(_listener_command, name)
    except Exception as error:  # noqa: BLE001 - isolation: the others go on
        return absent(name, error)
    versions: dict[str, str] = {}
    held = _Held(name, command, _plan(name, options), versions)
    return Contestant(name, held.measure, versions)


def _listener_command(name: str) -> Sequence[str]:
    if name in OUR_BACKENDS:
        return (sys.executable, "-m", "benchmarks.workers.holding", OUR_BACKENDS[name])
    return worker_command(name)


@frozen
class _Held:
    """A listening node of one implementation, and nodes of ours that connect to it."""

    name: str
    command: Sequence[str]
    plan: Plan
    versions: dict[str, str]

    async def measure(self) -> Measured:
        """KiB a connection, in processes that are new: freed memory is used again."""
        plan, dialling = self.plan, (sys.executable, "-m", "benchmarks.workers.holding", "asyncio")
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            others = await enter(worker("others", dialling, transport="", security="tls"))
            few = await enter(worker(self.name, self.command, **TLS))
            few_percent = await self._processor_percent(few, others, plan.few_peers, plan.few_each)
            name, _, version = few.version.partition(" ")
            self.versions[name] = version
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            others = await enter(worker("others", dialling, transport="", security="tls"))
            listener = await enter(worker(self.name, self.command, **TLS))
            before = listener.memory_bytes()
            percent = await self._processor_percent(listener, others, plan.peers, plan.each)
            grown = listener.memory_bytes() - before
        beside = {"processor-percent-few": few_percent}
        if self.name not in _MOST_PEERS:  # fewer connections do not compare
            beside["processor-percent"] = percent
        return Measured(grown / _KIB / (plan.peers * plan.each), beside)

    async def _processor_percent(
        self, listener: Peer, others: Peer, peers: int, each: int
    ) -> float:
        """Of one core, while so many connections are held."""
        await others.request(
            "hold", within=_DIAL_SECONDS, address=listener.address, peers=peers, connections=each
        )
        await anyio.sleep(self.plan.settle_seconds)
        begun, used = perf_counter(), listener.processor_seconds()
        await anyio.sleep(self.plan.hold_seconds)
        percent = 100 * (listener.processor_seconds() - used) / (perf_counter() - begun)
        count = (await others.request("held"))["count"]
        if count != peers * each:
            raise ConnectionError(f"{self.name} holds {count} of {peers * each} connections")
        return percent


BENCHMARK = Benchmark(
    "memory",
    "KiB/connection",
    _contest,
    _settings,
    rounds=1,
    warm_up_rounds=0,
    lower_is_better=True,
    limits=_LIMITS,
)
