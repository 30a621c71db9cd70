"""Change: what tasks wait for that need something to become true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


class Change:
    """Lets any number of tasks wait for conditions that whoever calls `tell` may have made true."""

    def __init__(self) -> None:
        self._awaited: anyio.Event | None = None

    def tell(self) -> None:
        """Something has changed: those who wait look again."""
        if self._awaited is not None:
            self._awaited.set()
            self._awaited = None

    async def until(self, condition: Callable[[], object]) -> None:
        """Return as soon as it is true; at once if it is already."""
        while not condition():
            if self._awaited is None:  # else others wait for it already
                self._awaited = anyio.Event()
            await self._awaited.wait()
