"""Wakeup: an event that can be waited for again and again."""

from __future__ import annotations

import anyio


class Wakeup:
    """Wakes whoever waits at the moment; check the condition, then wait, with no await between."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def set(self) -> None:
        """Wake all that wait."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait for the next `set`."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
