"""Run a benchmark: its contestants take turns, A B A B, so that a slow minute hits all alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .benchmark import Measured
from .figures import Figures
from .report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .benchmark import Benchmark, Contestant, Options

_Round = dict[str, Measured]


async def run(benchmark: Benchmark, options: Options, rounds: int) -> Report:
    """Measure all contestants in this many rounds."""
    warm_up_rounds = 0 if options.quick else benchmark.warm_up_rounds
    async with benchmark.contest(options) as contestants:
        if not contestants:
            raise LookupError(f"{benchmark.name}: nobody takes part")
        for _ in range(warm_up_rounds):
            await _round(contestants)
        taken = [await _round(contestants, f"round {n + 1} of {rounds}") for n in range(rounds)]
    versions = {name: text for each in contestants for name, text in each.versions.items()}
    figures = _figures_of(taken, benchmark)
    said = {**benchmark.settings(options), "warm_up_rounds": warm_up_rounds}
    return Report(benchmark, figures, rounds, said, versions)


async def _round(contestants: Sequence[Contestant], title: str = "warm-up") -> _Round:
    taken = {each.name: _measured(await each.measure()) for each in contestants}
    line = ", ".join(f"{name} {each.figure:.4g}" for name, each in taken.items())
    print(f"{title}: {line}", file=sys.stderr, flush=True)
    return taken


def _measured(figure: float | Measured) -> Measured:
    return figure if isinstance(figure, Measured) else Measured(figure)


def _figures_of(taken: Sequence[_Round], benchmark: Benchmark) -> Figures:
    first, lower_is_better, limits = taken[0], benchmark.lower_is_better, benchmark.limits
    also = {
        what: Figures(
            {
                name: tuple(one[name].also[what] for one in taken)
                for name in first
                if what in first[name].also
            },
            lower_is_better=lower_is_better,
            limit=limits.get(what),
        )
        for what in dict.fromkeys(key for each in first.values() for key in each.also)
    }
    by_name = {name: tuple(one[name].figure for one in taken) for name in first}
    return Figures(by_name, lower_is_better=lower_is_better, also=also, limit=limits.get(""))
