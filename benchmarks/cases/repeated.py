"""Repeated: something small, done one after another, equally often by each."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from benchmarks.benchmark import Benchmark, Contestant
from benchmarks.peers import LIBP2P

from .pairs import pairs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from benchmarks.benchmark import Measured, Options

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

    @asynccontextmanager
    async def _contest(self, options: Options) -> AsyncIterator[Sequence[Contestant]]:
        async with pairs(LIBP2P, _START, options) as found:
            yield [
                Contestant(
                    pair.name,
                    partial(self.measure, pair, self._count(options)),
                    pair.versions,
                )
                for pair in found
            ]

    def _settings(self, options: Options) -> Mapping[str, Any]:
        return {**_START, "per_round": self._count(options)}

    def _count(self, options: Options) -> int:
        return _QUICK_COUNT if options.quick else self.count
