"""Chance: one seed, from which everything that is left to chance follows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random

Distribution = float | Callable[[Random], float]
"""A number, or a function that draws one: ``lambda chance: chance.uniform(0.01, 0.2)``."""


class Chance:
    """Gives each purpose a generator of its own, so that no draw depends on the order of others."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, *purpose: object) -> Random:
        """The generator for a purpose: the same purpose and seed give the same numbers."""
        return Random("/".join(map(str, (self.seed, *purpose))))  # noqa: S311 - no secrets

    def key_seed(self, name: str) -> bytes:
        """32 bytes of which the key of that node is made."""
        return hashlib.sha256(f"peerloom simulated {self.seed}/{name}".encode()).digest()


def draw(distribution: Distribution, chance: Random) -> float:
    """A number of the distribution."""
    return distribution(chance) if callable(distribution) else distribution
