"""Delivery: gives events to the application, no faster than it reads them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from ._change import Change
from ._events import Message

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from peerloom import Event
    from peerloom.plugin import PluginContext

    from ._config import GossipsubConfig

_PORTION: Final = 256
_SPARE: Final = 512  # where core's queue has no room for what can wait, it takes so many more


class Delivery:
    """Events for which some subscriber has no room wait here, and their peers in the end.

    A subscriber that does not read for `slow_subscriber_seconds` is not waited for: core tells it
    how many events it has missed.

    Attributes:
        bytes: what waits.
    """

    def __init__(
        self,
        ctx: PluginContext,
        losses: Counter[str],
        shrank: Callable[[], None],
        *event_classes: type[Event],
    ) -> None:
        """Give events of these classes in their order; `shrank` is called when less waits."""
        self._ctx = ctx
        self._config: GossipsubConfig = ctx.config
        self._losses = losses
        self._shrank = shrank
        self._event_classes = event_classes
        self._waiting: deque[Event] = deque()
        self._news = Change()
        self._beyond = 0  # given since there was room last
        self.bytes = 0

    def add(self, event: Event) -> None:
        """Give an event, at once if there is room."""
        if not self._waiting and self._room():
            self._ctx.emit(event)
            return
        self._waiting.append(event)
        self.bytes += _size(event)
        self._news.tell()

    async def run(self) -> None:
        """Give what waits."""
        while True:
            await self._news.until(lambda: self._waiting)
            if await self._is_read():
                self._beyond = 0
                self._give(self._room())
            else:
                await self._give_all()

    def __len__(self) -> int:
        return len(self._waiting)

    def _room(self) -> int:
        return min(map(self._ctx.room_for, self._event_classes))

    async def _is_read(self) -> bool:
        with anyio.move_on_after(self._config.slow_subscriber_seconds):
            while not self._room():
                for each in self._event_classes:
                    await self._ctx.wait_for_room(each)
                await checkpoint()
        return self._room() > 0  # who reads slowly does read

    async def _give_all(self) -> None:
        self._beyond += len(self._waiting)
        lost = min(self._beyond - _SPARE, len(self._waiting))
        if lost > 0:
            name = self._event_classes[0].__name__.lower()
            self._losses[f"{name} given to a slow subscriber"] += lost
        for _ in range(0, len(self._waiting), _PORTION):
            self._give(_PORTION)
            await checkpoint()

    def _give(self, count: int) -> None:
        for _ in range(min(count, len(self._waiting))):
            event = self._waiting.popleft()
            self.bytes -= _size(event)
            self._ctx.emit(event)
        self._shrank()


def _size(event: Event) -> int:
    return len(event.data) if isinstance(event, Message) else 0
