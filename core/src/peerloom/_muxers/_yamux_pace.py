"""WritePace: how much one write may carry."""

from __future__ import annotations

from typing import Final

# What is in a write goes before a ping or a credit that comes up meanwhile.
LEAST_BYTES: Final = 64 * 1024
# With larger ones what Noise encrypts no longer fits a core's cache.
MOST_BYTES: Final = 512 * 1024
# What a control frame may be kept waiting by the write before it.
SLOW_SECONDS: Final = 0.020


class WritePace:
    """As much as the path takes in a moment: the largest writes are the fastest where it is quick.

    Attributes:
        room: bytes of data that the next write may carry.
    """

    __slots__ = ("room",)

    def __init__(self) -> None:
        self.room = LEAST_BYTES

    def written(self, size: int, seconds: float) -> None:
        """A write of that size has been taken over by the pipe, within that time."""
        if seconds > SLOW_SECONDS:
            self.room = max(self.room // 2, LEAST_BYTES)
        elif size >= self.room and seconds < SLOW_SECONDS / 2:
            self.room = min(self.room * 2, MOST_BYTES)
