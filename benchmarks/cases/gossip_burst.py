"""gossip-burst: ten thousand messages at once, until every one of ten nodes has each of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import Benchmark, Limit, Measured, WrongData
from benchmarks.peers import OUR_BACKENDS

from .gossiping import SETTINGS, contest_of_gossips, contestant, gossips

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from benchmarks.benchmark import Contestant, Options

    from .gossiping import Gossips

NAMES: Final = (*OUR_BACKENDS, "js-libp2p")
NODES: Final = 10
_DELIVERED: Final = "delivered-percent"
_MESSAGES: Final = 10_000
_QUICK_MESSAGES: Final = 100


def _shares(options: Options) -> tuple[int, int]:
    """Two of the nodes publish, in two processes."""
    half = (_QUICK_MESSAGES if options.quick else _MESSAGES) // 2
    return half, half


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        **SETTINGS,
        "nodes": NODES,
        "connections_each": 4,
        "messages": sum(_shares(options)),
        "published_by": 2,
    }


def _contest(options: Options) -> AbstractAsyncContextManager[Sequence[Contestant]]:
    async def enter(name: str, stack: AsyncExitStack) -> Contestant:
        nodes = await stack.enter_async_context(gossips(name, nodes=NODES // 2))
        return contestant(nodes, partial(_measure, nodes, _shares(options)))

    return contest_of_gossips(NAMES, options, enter)


async def _measure(nodes: Gossips, shares: tuple[int, int]) -> Measured:
    """Seconds from the first `publish` to the last arrival; one that we lose is a failure."""
    used = nodes.processor_seconds
    published = await nodes.publish(shares)
    received = await nodes.received(shares)
    wanted, came = sum(nodes.wanted(shares)), sum(received.counts)
    if came != wanted and nodes.name in OUR_BACKENDS:
        raise WrongData(f"{nodes.name}: {wanted - came} of {wanted} deliveries were lost")
    begun = min(each["begun"] for each in published)
    beside = {
        _DELIVERED: 100 * came / wanted,
        "processor-seconds": nodes.processor_seconds - used,
    }
    return Measured(received.last - begun, beside)


BENCHMARK = Benchmark(
    "gossip-burst",
    "s",
    _contest,
    _settings,
    rounds=3,
    lower_is_better=True,
    limits={_DELIVERED: Limit(100.0)},
)
