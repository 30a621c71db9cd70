"""The ticks: one heap of timers, whose callbacks the event loop calls in its turn."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import isnan
from typing import TYPE_CHECKING, Final

from ._errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._dispatch import Handler

MAX_TIMERS: Final = 65_536  # one for each connection and each address known, with room to spare
_LEAST_TO_COMPACT: Final = 64  # below that, cancelled timers cost nothing worth the sweep


class Timer:
    """A callback that is due at a time; made by `PluginContext.wake_at`.

    Attributes:
        time: when it is due, on the Runtime's clock (seconds).
    """

    __slots__ = ("_heap", "handlers", "time")

    def __init__(self, heap: TimerHeap, time: float, handler: Handler) -> None:
        self.time: float = time
        self.handlers: tuple[Handler, ...] = (handler,)
        self._heap: TimerHeap | None = heap

    @property
    def active(self) -> bool:
        """Whether it is still going to call."""
        return self._heap is not None

    def cancel(self) -> None:
        """Never call; does nothing if it has called or was cancelled before."""
        if self._heap is not None:
            heap, self._heap = self._heap, None
            self.handlers = ()  # it may stand in the heap for a while, and hold nothing alive
            heap.forget_one()

    def fire(self) -> None:
        """Note that it calls now."""
        self._heap = None


class TimerHeap:
    """Timers in the order in which they are due; those due at one time, in order of making."""

    def __init__(self, on_earliest: Callable[[], None]) -> None:
        """Take a function that is called when the earliest time has moved forward."""
        self._entries: list[tuple[float, int, Timer]] = []
        self._serial = count()
        self._cancelled = 0
        self._on_earliest = on_earliest

    def __len__(self) -> int:
        return len(self._entries) - self._cancelled

    def add(self, time: float, handler: Handler) -> Timer:
        """A timer for that handler; raises `PluginError` past `MAX_TIMERS`."""
        if len(self) >= MAX_TIMERS:
            raise PluginError(
                f"plugin {handler.plugin} asks for one more timer, but {MAX_TIMERS} are pending: "
                "keep one timer for each state machine and re-arm it"
            )
        if isnan(time):
            raise PluginError(f"plugin {handler.plugin} asks for a timer at no time (NaN)")
        timer = Timer(self, time, handler)
        heappush(self._entries, (time, next(self._serial), timer))
        if self._entries[0][2] is timer:
            self._on_earliest()
        return timer

    def next_time(self) -> float | None:
        """When the earliest timer is due."""
        entries = self._entries
        while entries and not entries[0][2].active:
            heappop(entries)
            self._cancelled -= 1
        return entries[0][0] if entries else None

    def pop_due(self, now: float) -> Timer | None:
        """Take the earliest timer if it is due."""
        time = self.next_time()
        if time is None or time > now:
            return None
        timer = heappop(self._entries)[2]
        timer.fire()
        return timer

    def withdraw(self, plugin: str) -> None:
        """Cancel all timers of a plugin."""
        for _, _, timer in list(self._entries):
            if timer.active and timer.handlers[0].plugin == plugin:
                timer.cancel()

    def forget_one(self) -> None:
        """Note that a timer was cancelled; sweeps when half of them are."""
        self._cancelled += 1
        if self._cancelled > _LEAST_TO_COMPACT and self._cancelled * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[2].active]
            heapify(self._entries)
            self._cancelled = 0
