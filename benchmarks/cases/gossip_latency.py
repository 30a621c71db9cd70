"""gossip-latency: from `publish` until the last of ten nodes has the message."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import Benchmark, Measured, WrongData
from benchmarks.peers import OUR_BACKENDS

from .gossiping import SETTINGS, contest_of_gossips, contestant, gossips

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from benchmarks.benchmark import Contestant, Options

    from .gossiping import Gossips

NAMES: Final = (*OUR_BACKENDS, "py-libp2p", "js-libp2p")
NODES: Final = 10
_MESSAGES: Final = 100
_QUICK_MESSAGES: Final = 10
_RATE: Final = 10.0  # py-libp2p needs up to 90 ms for one: none shall wait for another


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        **SETTINGS,
        "nodes": NODES,
        "connections_each": 4,
        "messages_per_round": _count(options),
        "messages_per_second": _RATE,
    }


def _count(options: Options) -> int:
    return _QUICK_MESSAGES if options.quick else _MESSAGES


def _contest(options: Options) -> AbstractAsyncContextManager[Sequence[Contestant]]:
    async def enter(name: str, stack: AsyncExitStack) -> Contestant:
        nodes = await stack.enter_async_context(gossips(name, nodes=NODES // 2))
        return contestant(nodes, partial(_measure, nodes, _count(options)))

    return contest_of_gossips(NAMES, options, enter)


async def _measure(nodes: Gossips, count: int) -> Measured:
    shares = (count, 0)
    (published, _) = await nodes.publish(shares, _RATE)
    received = await nodes.received(shares)
    if received.counts != nodes.wanted(shares):
        raise WrongData(f"{nodes.name}: messages were lost")
    taken = latencies(published["times"], await nodes.arrivals(), nodes.published - count)
    return Measured(_percentile(taken, 50), {"p99": _percentile(taken, 99)})


def latencies(
    published: Sequence[float], arrivals: Sequence[Mapping[int, float]], first: int
) -> list[float]:
    """How long each message took to the last node, in milliseconds, sorted."""
    return sorted(
        (max(each[number] for each in arrivals if number in each) - begun) * 1000
        for number, begun in enumerate(published, first)
    )


def _percentile(milliseconds: Sequence[float], percent: int) -> float:
    return milliseconds[(len(milliseconds) - 1) * percent // 100]


BENCHMARK = Benchmark("gossip-latency", "ms (p50)", _contest, _settings, lower_is_better=True)
