"""Change: what tasks wait for that need something to become true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


class Change:
    """Lets any number of tasks wait for conditions that whoever calls `tell` may have made true."""

    def __init__(self) -> None:
        self._told = anyio.Event()

    def tell(self) -> None:
        """Something has changed: those who wait look again."""
        self._told.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return as soon as it is true; at once if it is already."""
        while not condition():
            if self._told.is_set():  # else others wait for it already
                self._told = anyio.Event()
            await self._told.wait()
