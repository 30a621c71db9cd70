"""Intake: a bounded queue into the event loop, whose producers wait while it is full."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Intake(Generic[T]):
    """Items for the loop, first come, first served, waiting producers included."""

    def __init__(self, bound: int, wake: Callable[[], None]) -> None:
        """Take the most items held, and what is called when there is an item."""
        self.bound = bound
        self._wake = wake
        self._items: deque[T] = deque()
        self._waiting: deque[tuple[T, anyio.Event]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def waiting(self) -> int:
        """How many producers wait for room."""
        return len(self._waiting)

    def try_put(self, item: T) -> bool:
        """Hand over an item; gives False, and hands over nothing, if it is full or closed."""
        if self._closed or self._waiting or len(self._items) >= self.bound:
            return False
        self._items.append(item)
        self._wake()
        return True

    async def put(self, item: T) -> None:
        """Hand over an item, waiting for room; after `close` it is dropped."""
        if self.try_put(item):
            return
        if self._closed:
            await checkpoint()  # a producer that goes on for ever must not hold everybody
            return
        await checkpoint_if_cancelled()  # one that is moved up each time is never caught waiting
        place = (item, anyio.Event())
        self._waiting.append(place)
        try:
            await place[1].wait()
        except BaseException:
            if not place[1].is_set():
                self._waiting.remove(place)
            raise

    def take(self) -> T:
        """The oldest item; lets the producer that has waited longest move up."""
        item = self._items.popleft()
        if self._waiting:
            moved_up, arrived = self._waiting.popleft()
            self._items.append(moved_up)
            arrived.set()
        return item

    def close(self) -> list[T]:
        """Accept nothing more; gives what nobody will take."""
        self._closed = True
        left = [*self._items, *(item for item, _ in self._waiting)]
        for _, arrived in self._waiting:
            arrived.set()
        self._items.clear()
        self._waiting.clear()
        return left
