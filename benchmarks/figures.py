"""Figures: what is made of the rounds. Pure; nothing here measures."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from attrs import field, frozen

from .benchmark import OURS, Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Rounds = tuple[float, ...]


@frozen
class Figures:
    """One figure for each contestant and round, in the order of the rounds.

    Attributes:
        by_name: the figures of each contestant.
        lower_is_better: whether the smaller figure wins.
        also: what was measured beside these, by name.
        limit: what ours must reach, if there is such a thing.
        incomplete: whether one of ours is not here because it failed: then none of ours counts,
            since the worse of them does.
    """

    by_name: Mapping[str, Rounds]
    lower_is_better: bool = False
    also: Mapping[str, Figures] = field(factory=dict)
    limit: Limit | None = None
    incomplete: bool = False

    @property
    def peers(self) -> Sequence[str]:
        """Everybody but us, and but those who stand beside a better one of ours."""
        beside = {"", self.worst_of_ours()}
        others = [name for name in self.by_name if not name.startswith(OURS)]
        return [name for name in others if name.partition("@")[2] in beside]

    def median_of(self, name: str) -> float:
        """The median of a contestant's rounds."""
        return median(self.by_name[name])

    def worst_of_ours(self) -> str | None:
        """Which of our contestants has the worse median; None if not all that took part have."""
        if self.incomplete:
            return None
        ours = [name for name in self.by_name if name.startswith(OURS)]
        worst = max if self.lower_is_better else min
        return worst(ours, key=self.median_of, default=None)

    def ratio_to(self, peer: str) -> float:
        """How many times better the worst of ours is: the median over the rounds."""
        return self._ratio_to(self.by_name[peer])

    def ratio_to_limit(self) -> float | None:
        """The same beside the limit; None if there is none, or its peer did not take part."""
        limit, beside = self.limit, self.limit.beside if self.limit else None
        if limit is None or (beside is not None and beside not in self.by_name):
            return None
        rounds = self.by_name[beside] if beside else (0.0,) * len(next(iter(self.by_name.values())))
        return self._ratio_to(limit.figure + theirs for theirs in rounds)

    def _ratio_to(self, others: Iterable[float]) -> float:
        ours = self.worst_of_ours()
        if ours is None:
            raise LookupError("none of ours took part")
        pairs = zip(self.by_name[ours], others, strict=True)
        return median(self._times_better(mine, theirs) for mine, theirs in pairs)

    def _times_better(self, mine: float, theirs: float) -> float:
        return theirs / mine if self.lower_is_better else mine / theirs
