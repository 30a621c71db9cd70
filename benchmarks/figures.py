"""Figures: what is made of the rounds. Pure; nothing here measures."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from attrs import field, frozen

from .benchmark import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Rounds = tuple[float, ...]


@frozen
class Figures:
    """One figure for each contestant and round, in the order of the rounds.

    Attributes:
        by_name: the figures of each contestant.
        lower_is_better: whether the smaller figure wins.
        also: what was measured beside these, by name.
    """

    by_name: Mapping[str, Rounds]
    lower_is_better: bool = False
    also: Mapping[str, Figures] = field(factory=dict)

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
        """Which of our contestants has the worse median; None if none took part."""
        ours = [name for name in self.by_name if name.startswith(OURS)]
        worst = max if self.lower_is_better else min
        return worst(ours, key=self.median_of, default=None)

    def ratio_to(self, peer: str) -> float:
        """How many times better the worst of ours is: the median over the rounds."""
        ours = self.worst_of_ours()
        if ours is None:
            raise LookupError("none of ours took part")
        pairs = zip(self.by_name[ours], self.by_name[peer], strict=True)
        return median(self._times_better(mine, theirs) for mine, theirs in pairs)

    def _times_better(self, mine: float, theirs: float) -> float:
        return theirs / mine if self.lower_is_better else mine / theirs
