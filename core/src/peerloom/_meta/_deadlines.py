"""Deadlines: when each of many connections is due, without looking at all of them."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

_LEAST_TO_COMPACT: Final = 64  # below that, outdated entries cost nothing worth the sweep


class Deadlines:
    """One deadline for each number at most. Pure."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []  # with entries that are outdated

    def set(self, number: int, at: float | None) -> None:
        """Due then, and at no other time; None: not at all."""
        if at is None:
            self._at.pop(number, None)
            return
        self._at[number] = at
        heappush(self._heap, (at, number))
        if len(self._heap) > _LEAST_TO_COMPACT and len(self._heap) > 2 * len(self._at):
            self._heap = [(at, number) for number, at in self._at.items()]
            heapify(self._heap)

    def earliest(self) -> float | None:
        """When something is due next, or None."""
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, now: float) -> list[int]:
        """The numbers that are due, earliest first; they have no deadline any more."""
        due = []
        while (earliest := self.earliest()) is not None and earliest <= now:
            _, number = heappop(self._heap)
            del self._at[number]
            due.append(number)
        return due
