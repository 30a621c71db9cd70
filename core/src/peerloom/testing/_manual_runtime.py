"""ManualRuntime: time that stands still until a test moves it, and chance that never changes."""

from __future__ import annotations

import random  # noqa: TID251 - seeded, in place of the system's
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_START: Final = 1000.0  # not zero: what is falsy hides mistakes
_WALL_START: Final = 1_700_000_000.0


class ManualRuntime:
    """A `Runtime` by hand; offloaded work runs at once.

    Attributes:
        random: a generator of that seed.
        time: what `now` gives.
        on_advance: is called whenever time has moved.
    """

    def __init__(self, seed: int = 1) -> None:
        self.random: random.Random = random.Random(seed)  # noqa: S311 - choices, not secrets
        self.time: float = _START
        self.on_advance: Callable[[], None] = lambda: None

    def now(self) -> float:
        """Seconds on a clock that only `advance` moves."""
        return self.time

    def wall_time(self) -> float:
        """Seconds since 1970, moved with the clock."""
        return _WALL_START + self.time

    def secret_bytes(self, count: int) -> bytes:
        """Bytes of the seeded generator: no secret at all."""
        return self.random.randbytes(count)

    async def offload(self, function: Callable[[], T]) -> T:
        """Run it here and now."""
        return function()

    def advance(self, seconds: float) -> None:
        """Move time; timers that are due then fire in the event loop's next turn."""
        self.time += seconds
        self.on_advance()
