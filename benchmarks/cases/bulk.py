"""Bulk: one stream, one direction, from the first write to the receiver's verified count."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from benchmarks.benchmark import Benchmark, WrongData
from benchmarks.workers.payload import BLOCK_BYTES, expected_tag

from .pairs import contest_of_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.benchmark import Contestant, Options

    from .pairs import Pair

MIB: Final = 1024 * 1024
_QUICK_MIB: Final = 2
_SEED: Final = 1
_WARM_UP_ROUNDS: Final = 2  # js-libp2p reaches its speed after a gibibyte, twice that of its first

# What each moves in one to two seconds; a figure per contestant, because a size that takes the
# fastest a second would take the slowest half a minute.
ROUND_MIB: Final[Mapping[str, int]] = {
    "peerloom-asyncio": 768,
    "peerloom-trio": 768,
    "py-libp2p": 96,
    "js-libp2p": 512,
    "go-libp2p": 1024,
    "rust-libp2p": 1024,
    "blocking-tls": 1536,
    "blocking-noise": 1536,
}


@frozen
class Bulk:
    """A bulk benchmark: who takes part, over which transport and security, and how much of it."""

    names: Sequence[str]
    start: Mapping[str, Any]
    round_mib: Mapping[str, int] = ROUND_MIB

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark of that name."""
        return Benchmark(name, "MiB/s", self.contest, self.settings, warm_up_rounds=_WARM_UP_ROUNDS)

    def settings(self, options: Options) -> Mapping[str, Any]:
        """What the report says of them."""
        sizes = {name: self._mib(name, options) for name in self.names if options.wants(name)}
        return {**self.start, "write_bytes": BLOCK_BYTES, "mib_per_round": sizes}

    def contest(self, options: Options) -> AbstractAsyncContextManager[Sequence[Contestant]]:
        """A sender and a receiver of each, in processes of their own."""

        def enter(pair: Pair) -> Sequence[Contestant]:
            nbytes = self._mib(pair.name, options) * MIB
            return [pair.contestant(partial(one_stream, pair, nbytes))]

        return contest_of_pairs(self.names, self.start, options, enter)

    def _mib(self, name: str, options: Options) -> int:
        return _QUICK_MIB if options.quick else self.round_mib[name]


async def one_stream(pair: Pair, nbytes: int) -> float:
    """MiB/s over a fresh connection and stream."""
    async with pair.connected() as receiver:
        sent = await pair.dialer.run("send", receiver, nbytes, _SEED)
    check(pair.name, sent, nbytes)
    return nbytes / MIB / float(sent["seconds"])


def check(who: str, report: Mapping[str, Any], nbytes: int, first_block: int = 0) -> None:
    """Raise `WrongData` unless a receiver reports exactly what was sent to it."""
    wanted = {"count": nbytes, "tag": _expected_tag(_SEED, nbytes, first_block)}
    reported = {key: report.get(key) for key in wanted}
    if reported != wanted:
        raise WrongData(f"{who}: {reported} instead of {wanted}")


_expected_tag = cache(expected_tag)
