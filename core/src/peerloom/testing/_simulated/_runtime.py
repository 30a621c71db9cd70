"""SimulatedRuntime: virtual time, seeded chance, and no threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

T = TypeVar("T")

BEGIN_OF_TIME: Final = 1_800_000_000.0  # what wall clocks show at the start: any moment will do


class SimulatedRuntime:
    """A `Runtime` of virtual time, whose work is done at once in the loop.

    Attributes:
        random: the node's generator, which `secret_bytes` uses as well.
        now: virtual seconds, as on the event loop's clock.
        wall_time: seconds since 1970, as the node's wall clock shows them.
    """

    def __init__(
        self, random: Random, now: Callable[[], float], wall_time: Callable[[], float]
    ) -> None:
        self.random = random
        self.now = now
        self.wall_time = wall_time

    def secret_bytes(self, count: int) -> bytes:
        """Bytes that everybody can guess who knows the seed."""
        return self.random.randbytes(count)

    async def offload(self, function: Callable[[], T]) -> T:
        """Run the function here: a thread would let virtual time run away."""
        await checkpoint()
        return function()
