"""Verdicts: which targets a run has reached, which it has missed, and which nobody measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from .benchmark import OURS, Options
from .registry import BENCHMARKS
from .targets import TARGETS, beside_with_targets, figure_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LIMIT: Final = "limit"
_JUST_ENOUGH: Final = 1.0


@frozen
class Verdict:
    """One target beside what was measured.

    Attributes:
        figure: the benchmark, and after a colon what was measured beside its figure.
        against: the peer, or "limit".
        target: how many times better ours must be.
        ratio: how many times better it was, or None if that is not known.
    """

    figure: str
    against: str
    target: float
    ratio: float | None

    @property
    def word(self) -> str:
        """The outcome."""
        if self.ratio is None:
            return "not measured"
        return "reached" if self.ratio >= self.target else "missed"


def verdicts_of(
    result: Mapping[str, Any],
    options: Options = Options(),  # noqa: B008 - it is frozen
) -> Iterator[Verdict]:
    """Every target of a benchmark whose sides `options` let take part."""
    name = result["name"]
    also = result.get("also", {})
    limits = BENCHMARKS[name].limits
    yield from _judged(name, "", result, options)
    for what in dict.fromkeys([*also, *filter(None, limits), *beside_with_targets(name)]):
        yield from _judged(name, what, also.get(what, {}), options)


def has_failed(result: Mapping[str, Any], options: Options) -> bool:
    """Whether something is not in a result that should be."""
    if "error" in result or "failed" in result:
        return True
    return any(each.ratio is None for each in verdicts_of(result, options))


def summary(results: Iterable[Mapping[str, Any]], options: Options) -> str:
    """The table that a run ends with, and below it what has failed."""
    results = list(results)
    head = f"{'':40}{'against':16}{'is':>10}{'must be':>10}"
    rows = [_row(each) for result in results for each in verdicts_of(result, options)]
    failures = [line for result in results for line in _failures(result)]
    return "\n".join(["", head, *rows, *failures])


def _judged(
    name: str, what: str, figures: Mapping[str, Any], options: Options
) -> Iterator[Verdict]:
    limit = BENCHMARKS[name].limits.get(what)
    figure = figure_name(name, what)
    targets = dict(TARGETS.get(figure, {}))
    if limit is not None:
        targets[LIMIT] = _JUST_ENOUGH
    ratios = figures.get("ratio", {})
    for against, target in targets.items():
        sides = [OURS, limit.beside if limit and against == LIMIT else against]
        wanted = all(options.wants(side) for side in sides if side)
        if against in ratios or wanted:
            yield Verdict(figure, against, target, ratios.get(against))


def _row(verdict: Verdict) -> str:
    ratio = "" if verdict.ratio is None else f"{verdict.ratio:.3g}"
    numbers = f"{ratio:>10}{verdict.target:>10g}"
    return f"{verdict.figure:40}{verdict.against:16}{numbers}  {verdict.word}"


def _failures(result: Mapping[str, Any]) -> Iterator[str]:
    if "error" in result:
        yield f"{result['name']} failed: {result['error']}"
    for who, reason in result.get("failed", {}).items():
        yield f"{result['name']}: {who} failed: {reason}"
