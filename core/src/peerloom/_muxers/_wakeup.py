"""Wakeup: an event that can be waited for again and again."""

from __future__ import annotations

import anyio


class Wakeup:
    """Wakes whoever waits at the moment; check the condition, then wait, with no await between."""

    __slots__ = ("_event", "_kind")

    def __init__(self) -> None:
        self._event: anyio.Event | None = None
        # After the first one, the running loop's own kind: finding it out takes most of the time.
        self._kind: type[anyio.Event] = anyio.Event

    def set(self) -> None:
        """Wake all that wait."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait for the next `set`."""
        if self._event is None:
            self._event = self._kind()
            self._kind = type(self._event)
        await self._event.wait()
