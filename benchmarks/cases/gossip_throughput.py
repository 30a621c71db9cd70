"""gossip-throughput: signed messages of 1 KiB a second, from one node to another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import Benchmark, Limit, Measured, WrongData
from benchmarks.peers import OUR_BACKENDS

from .gossiping import SETTINGS, contest_of_gossips, contestant, gossips
from .highest_rate import AS_FAST_AS_CAN_BE, highest_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from benchmarks.benchmark import Contestant, Options

    from .gossiping import Gossips

NAMES: Final = (*OUR_BACKENDS, "py-libp2p", "js-libp2p")
# What takes each a few seconds; py-libp2p's also fit into its queues.
_MESSAGES: Final[Mapping[str, int]] = {
    "peerloom-asyncio": 20_000,
    "peerloom-trio": 20_000,
    "py-libp2p": 2_000,
    "js-libp2p": 10_000,
}
_QUICK_MESSAGES: Final = 200
# Who loses messages when it is asked for too many: the rate from which on that is halved.
_START_RATES: Final[Mapping[str, float]] = {"py-libp2p": 1_024, "js-libp2p": 8_192}
_SIGNED_ONLY: Final = frozenset({"py-libp2p"})
_SIGNED_RATE: Final = 6_000.0
_UNSIGNED_RATE: Final = 12_000.0
_UNSIGNED: Final = "unsigned"
_COST: Final = "microseconds-of-processor"
_UNSIGNED_COST: Final = f"unsigned-{_COST}"
_HALVINGS: Final = 4


def _settings(options: Options) -> Mapping[str, Any]:
    return {
        **SETTINGS,
        "messages_per_round": {
            name: _count(name, options) for name in NAMES if options.wants(name)
        },
    }


def _count(name: str, options: Options) -> int:
    return _QUICK_MESSAGES if options.quick else _MESSAGES[name]


def _contest(options: Options) -> AbstractAsyncContextManager[Sequence[Contestant]]:
    async def enter(name: str, stack: AsyncExitStack) -> Contestant:
        signed = await stack.enter_async_context(gossips(name))
        unsigned = (
            None
            if name in _SIGNED_ONLY
            else await stack.enter_async_context(gossips(name, signed=False))
        )
        return contestant(signed, partial(_measure, signed, unsigned, _count(name, options)))

    return contest_of_gossips(NAMES, options, enter)


async def _measure(signed: Gossips, unsigned: Gossips | None, count: int) -> Measured:
    rate, beside = await _measured(signed, count, _COST)
    if unsigned is not None:
        beside[_UNSIGNED], more = await _measured(unsigned, count, _UNSIGNED_COST)
        beside |= more
    return Measured(rate, beside)


async def _measured(gossips: Gossips, count: int, cost: str) -> tuple[float, dict[str, float]]:
    """Messages a second, and of ours, which do all of it in one go, what one costs."""
    trial = partial(_trial, gossips, count)
    if gossips.name in _START_RATES:
        return await highest_rate(trial, _START_RATES[gossips.name], _HALVINGS), {}
    used = gossips.processor_seconds
    rate = await trial(AS_FAST_AS_CAN_BE)
    if rate is None:
        raise WrongData(f"{gossips.name}: messages were lost")
    return rate, {cost: (gossips.processor_seconds - used) / count * 1e6}


async def _trial(gossips: Gossips, count: int, rate: float) -> float | None:
    """Messages a second from the first `publish` to the last arrival; None if some were lost."""
    shares = (count, 0)
    published = await gossips.publish(shares, rate)
    received = await gossips.received(shares)
    if received.counts != gossips.wanted(shares):
        return None
    begun: float = published[0]["begun"]
    return count / (received.last - begun)


BENCHMARK = Benchmark(
    "gossip-throughput",
    "messages/s",
    _contest,
    _settings,
    warm_up_rounds=2,
    limits={"": Limit(_SIGNED_RATE), _UNSIGNED: Limit(_UNSIGNED_RATE)},
    costs=(_COST, _UNSIGNED_COST),
)
