"""Turns: how much many tasks do together before the rest of the node has the loop again."""

from __future__ import annotations

from anyio.lowlevel import checkpoint


class Turns:
    """So many steps of all its tasks, then one round of the loop for everybody else.

    A loop runs all tasks that are awake before it looks at its sockets: 200 streams whose
    negotiations go on at once hold a ping for 13 ms, at each of the four rounds that it needs.
    """

    __slots__ = ("_left", "_most", "_round")

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._round = 0

    async def take(self) -> None:
        """Return when a step may be done: at once, if the round has one left."""
        while not self._left:
            this = self._round
            await checkpoint()
            if self._round == this:  # the first to come back
                self._round += 1
                self._left = self._most
        self._left -= 1
