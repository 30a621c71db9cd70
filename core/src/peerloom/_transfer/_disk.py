"""visit_disk: calls that block on a file, off the loop and never abandoned half-way."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom._runtime import Runtime

T = TypeVar("T")


async def visit_disk(runtime: Runtime, function: Callable[[], T]) -> T:
    """Run a short blocking call to its end, even for a cancelled caller.

    An abandoned call would go on beside whatever closes the file, and could write into the file
    that is given the same descriptor next. Callers keep a call to a few megabytes.
    """
    with anyio.CancelScope(shield=True):
        result = await runtime.offload(function)
    await anyio.lowlevel.checkpoint_if_cancelled()
    return result
