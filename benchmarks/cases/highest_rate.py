"""The highest rate at which nothing is lost, found by halving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

AS_FAST_AS_CAN_BE: Final = 0.0
_LOWEST_RATE: Final = 1.0


async def highest_rate(
    trial: Callable[[float], Awaitable[float | None]], start: float, steps: int
) -> float:
    """What is reached at best, in the unit of `trial`, without loss.

    `trial` publishes at a rate, or as fast as can be, and gives what was reached, or None if
    something was lost. From `start` the rate is halved until nothing is; then the way to the
    rate above is halved, `steps` times. Raises `LookupError` if there is loss at any rate.
    """
    if (reached := await trial(AS_FAST_AS_CAN_BE)) is not None:
        return reached
    low, high = start, start
    while (best := await trial(low)) is None:
        low, high = low / 2, low
        if low < _LOWEST_RATE:
            raise LookupError("it loses messages at every rate")
    for _ in range(steps):
        middle = (low + high) / 2
        if (reached := await trial(middle)) is None:
            high = middle
        else:
            low, best = middle, max(best, reached)
    return best
