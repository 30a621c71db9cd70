"""Runs a command's async function on the backend asked for, until it ends or a signal comes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import anyio

from peerloom._background import Background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


def run_until_signal(
    function: Callable[[], Awaitable[None]], *, trio: bool
) -> signal.Signals | None:
    """Run it to its end; gives the signal (SIGINT, SIGTERM) that ended it early, or None.

    What the function raises comes out as it is. A second signal ends the process at once.
    """
    return anyio.run(_guarded, function, backend="trio" if trio else "asyncio")


async def _guarded(function: Callable[[], Awaitable[None]]) -> signal.Signals | None:
    caught: list[signal.Signals] = []
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with Background() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(_watch, signals, scope, caught)
                await function()
            tasks.cancel_scope.cancel()
    return caught[0] if caught else None


async def _watch(
    signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope, caught: list[signal.Signals]
) -> None:
    async for number in signals:
        if caught:
            os._exit(exit_status(number))  # whoever asks twice will not wait for goodbyes
        caught.append(number)
        scope.cancel()


def exit_status(number: signal.Signals) -> int:
    """What a shell reports for a process that this signal ended."""
    return 128 + number
