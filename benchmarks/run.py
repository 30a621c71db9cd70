"""Run a benchmark: its contestants take turns, A B A B, so that a slow minute hits all alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .figures import Figures
from .report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .benchmark import Benchmark, Contestant, Options


async def run(benchmark: Benchmark, options: Options, rounds: int) -> Report:
    """Measure all contestants in this many rounds."""
    warm_up_rounds = 0 if options.quick else benchmark.warm_up_rounds
    async with benchmark.contest(options) as contestants:
        if not contestants:
            raise LookupError(f"{benchmark.name}: nobody takes part")
        for _ in range(warm_up_rounds):
            await _round(contestants)
        taken = [await _round(contestants, f"round {n + 1} of {rounds}") for n in range(rounds)]
    by_name = {each.name: tuple(one[each.name] for one in taken) for each in contestants}
    versions = {name: text for each in contestants for name, text in each.versions.items()}
    figures = Figures(by_name, lower_is_better=benchmark.lower_is_better)
    said = {**benchmark.settings(options), "warm_up_rounds": warm_up_rounds}
    return Report(benchmark, figures, rounds, said, versions)


async def _round(contestants: Sequence[Contestant], title: str = "warm-up") -> dict[str, float]:
    figures = {each.name: await each.measure() for each in contestants}
    line = ", ".join(f"{name} {figure:.4g}" for name, figure in figures.items())
    print(f"{title}: {line}", file=sys.stderr, flush=True)
    return figures
