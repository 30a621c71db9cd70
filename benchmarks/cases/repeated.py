"""Repeated: something small, done one after another, equally often by each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from benchmarks.benchmark import Benchmark
from benchmarks.peers import LIBP2P

from .pairs import contest_of_pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.benchmark import Contestant, Measured, Options

    from .pairs import Pair

_QUICK_COUNT: Final = 3
_START: Final = {"transport": "tcp", "security": "tls"}


@frozen
class Repeated:
    """A benchmark of it, over TCP, TLS and yamux.

    Attributes:
        measure: takes a round of so many with a pair.
        count: how many each contestant does in a round.
    """

    measure: Callable[[Pair, int], Awaitable[float | Measured]]
    count: int

    def benchmark(self, name: str, unit: str, *, lower_is_better: bool = False) -> Benchmark:
        """The benchmark of that name."""
        return Benchmark(name, unit, self._contest, self._settings, lower_is_better=lower_is_better)

    def _contest(self, options: Options) -> AbstractAsyncContextManager[Sequence[Contestant]]:
        def enter(pair: Pair) -> Sequence[Contestant]:
            return [pair.contestant(partial(self.measure, pair, self._count(options)))]

        return contest_of_pairs(LIBP2P, _START, options, enter)

    def _settings(self, options: Options) -> Mapping[str, Any]:
        return {**_START, "per_round": self._count(options)}

    def _count(self, options: Options) -> int:
        return _QUICK_COUNT if options.quick else self.count
