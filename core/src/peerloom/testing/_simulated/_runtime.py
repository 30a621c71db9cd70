"""SimulatedRuntime: virtual time, seeded chance, and no threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from anyio.lowlevel import checkpoint

from peerloom._runtime import SystemRuntime

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

T = TypeVar("T")

BEGIN_OF_TIME: Final = 1_800_000_000.0  # what wall clocks show at the start: any moment will do


class SimulatedRuntime:
    """A `Runtime` on the running loop's clock, whose work is done at once in the loop.

    Attributes:
        random: the node's generator, which `secret_bytes` uses as well.
        now: seconds on the running loop's clock.
        wall_time: seconds since 1970, as the node's wall clock shows them.
    """

    def __init__(self, random: Random, wall_time: Callable[[], float]) -> None:
        self.random = random
        self.now = SystemRuntime.of_running_loop().now
        self.wall_time = wall_time

    def secret_bytes(self, count: int) -> bytes:
        """Bytes that everybody can guess who knows the seed."""
        return self.random.randbytes(count)

    async def offload(self, function: Callable[[], T]) -> T:
        """Run the function here: a thread would let virtual time run away."""
        await checkpoint()
        return function()
