"""Report: the table for people, and the one JSON object for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import frozen

from peerloom._errors import describe

from .machine import machine, versions_here
from .targets import beside_with_targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .benchmark import Benchmark
    from .figures import Figures

_DIGITS = 4


def reason_of(error: BaseException) -> str:
    """Why something failed, in one line; of a group of errors, each of them."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(reason_of(each) for each in error.exceptions)
    return describe(error)


def error_fields(benchmark: Benchmark, error: Exception) -> dict[str, Any]:
    """What stands for a benchmark that has no figures at all."""
    return {
        "name": benchmark.name,
        "unit": benchmark.unit,
        "error": reason_of(error),
        "versions": {**versions_here(), "machine": machine()},
    }


@frozen
class Report:
    """What came out of one benchmark."""

    benchmark: Benchmark
    figures: Figures
    rounds: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    failed: Mapping[str, str]

    def as_fields(self) -> dict[str, Any]:
        """What a program reads; "ours" is null unless all of ours that took part have a figure."""
        figures, ours = self.figures, self.figures.worst_of_ours()
        report: dict[str, Any] = {
            "name": self.benchmark.name,
            "unit": self.benchmark.unit,
            "ours": None if ours is None else _rounded(figures.median_of(ours)),
            "peers": _medians(figures, figures.peers),
            "ratio": _ratios(figures),
            "rounds": self.rounds,
            "settings": {**self.settings, "ours": ours},
            "versions": {**versions_here(), **self.versions, "machine": machine()},
        }
        if self.benchmark.lower_is_better:
            report["lower_is_better"] = True
        if figures.also:
            report["also"] = {what: self._beside(what) for what in figures.also}
        if self.failed:
            report["failed"] = dict(self.failed)
        return report

    def as_table(self) -> str:
        """Median, least, most and our ratio for each contestant, and where it was measured."""
        head = f"{self.benchmark.name} [{self.benchmark.unit}], {self.rounds} rounds"
        titles = f"{'':30}{'median':>10}{'min':>10}{'max':>10}{'ours ÷ it':>12}"
        versions = ", ".join(f"{name} {it}" for name, it in self.versions.items())
        rows = [self._row(name) for name in self.figures.by_name]
        rows += [f"{name:30}failed: {reason}" for name, reason in self.failed.items()]
        more = [
            f"{name}: {json.dumps(_medians(figures, figures.by_name))}"
            for name, figures in self.figures.also.items()
        ]
        limits = [
            f"{name or self.benchmark.name}: {ratio:.3g} of its limit, where 1 is just enough"
            for name, figures in {"": self.figures, **self.figures.also}.items()
            if figures.worst_of_ours() and (ratio := figures.ratio_to_limit()) is not None
        ]
        return "\n".join(["", head, titles, *rows, *more, *limits, machine(), versions])

    def _beside(self, what: str) -> Mapping[str, Any]:
        figures = self.figures.also[what]
        ours = figures.worst_of_ours()
        beside: dict[str, Any] = {
            "ours": None if ours is None else _rounded(figures.median_of(ours)),
            "peers": _medians(figures, figures.peers),
        }
        if figures.limit is not None:
            beside["limit"] = figures.limit.figure
        if figures.limit is not None or what in beside_with_targets(self.benchmark.name):
            beside["ratio"] = _ratios(figures)
        return beside

    def _row(self, name: str) -> str:
        figures = self.figures.by_name[name]
        numbers = (self.figures.median_of(name), min(figures), max(figures))
        cells = "".join(f"{number:10.4g}" for number in numbers)
        return f"{name:30}{cells}{self._ratio(name):>12}"

    def _ratio(self, name: str) -> str:
        worst = self.figures.worst_of_ours()
        if name not in self.figures.peers:
            return "counts" if name == worst else ""
        return "" if worst is None else f"{self.figures.ratio_to(name):.2f}"


def _ratios(figures: Figures) -> Mapping[str, float]:
    if figures.worst_of_ours() is None:
        return {}
    ratios = {_label(peer): _rounded(figures.ratio_to(peer)) for peer in figures.peers}
    to_limit = figures.ratio_to_limit()
    return ratios if to_limit is None else {**ratios, "limit": _rounded(to_limit)}


def _medians(figures: Figures, names: Iterable[str]) -> Mapping[str, float]:
    return {_label(name): _rounded(figures.median_of(name)) for name in names}


def _label(name: str) -> str:
    return name.partition("@")[0]


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")
