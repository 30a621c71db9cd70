"""Run a benchmark: its contestants take turns, A B A B, so that a slow minute hits all alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import anyio

from .benchmark import OURS, Measured
from .figures import Figures
from .report import Report, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .benchmark import Benchmark, Contestant, Options

# The longest turn of all is that of `memory`, which takes about four minutes.
_TURN_SECONDS: Final = 900

_Round = dict[str, Measured]


async def run(benchmark: Benchmark, options: Options, rounds: int) -> Report:
    """Measure all contestants in this many rounds."""
    warm_up_rounds = 0 if options.quick else benchmark.warm_up_rounds
    async with benchmark.contest(options) as contestants:
        if not contestants:
            raise LookupError(f"{benchmark.name}: nobody takes part")
        field = _Field(contestants)
        for _ in range(warm_up_rounds):
            await field.take_round("warm-up")
        taken = [await field.take_round(f"round {n + 1} of {rounds}") for n in range(rounds)]
    versions = {name: text for each in contestants for name, text in each.versions.items()}
    said = {**benchmark.settings(options), "warm_up_rounds": warm_up_rounds}
    figures = _figures_of(taken, benchmark, list(field.failed))
    return Report(benchmark, figures, rounds, said, versions, field.failed)


class _Field:
    """The contestants that are still in it: whoever fails once is out, the others go on.

    Attributes:
        failed: who is out, and why.
    """

    def __init__(self, contestants: Sequence[Contestant]) -> None:
        self._contestants = contestants
        self.failed: dict[str, str] = {}

    async def take_round(self, title: str) -> _Round:
        taken: _Round = {}
        for each in self._contestants:
            if each.name not in self.failed:
                await self._measure(each, taken)
        line = ", ".join(f"{name} {each.figure:.4g}" for name, each in taken.items())
        print(f"{title}: {line}", file=sys.stderr, flush=True)
        return taken

    async def _measure(self, contestant: Contestant, taken: _Round) -> None:
        try:
            with anyio.fail_after(_TURN_SECONDS):
                figure = await contestant.measure()
        except Exception as error:  # noqa: BLE001 - isolation: whatever it is, the others go on
            reason = self.failed[contestant.name] = reason_of(error)
            notes = getattr(error, "__notes__", [])
            said = [f"{contestant.name} failed: {reason}", *notes, contestant.give_up()]
            print(*filter(None, said), sep="\n", file=sys.stderr, flush=True)
        else:
            taken[contestant.name] = figure if isinstance(figure, Measured) else Measured(figure)


def _figures_of(taken: Sequence[_Round], benchmark: Benchmark, failed: Sequence[str]) -> Figures:
    """Of those who were measured in every round; half of the rounds is no figure."""
    first = {name: each for name, each in taken[0].items() if name not in failed}
    incomplete = any(name.startswith(OURS) for name in failed)
    lower_is_better, limits = benchmark.lower_is_better, benchmark.limits
    also = {
        what: Figures(
            {
                name: tuple(one[name].also[what] for one in taken)
                for name, each in first.items()
                if what in each.also
            },
            lower_is_better=lower_is_better or what in benchmark.costs,
            limit=limits.get(what),
            incomplete=incomplete,
        )
        for what in dict.fromkeys(key for each in first.values() for key in each.also)
    }
    return Figures(
        {name: tuple(one[name].figure for one in taken) for name in first},
        lower_is_better=lower_is_better,
        also=also,
        limit=limits.get(""),
        incomplete=incomplete,
    )
