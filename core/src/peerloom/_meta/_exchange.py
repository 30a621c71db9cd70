"""What the small request protocols of core share: bounded reads, and which errors are ordinary."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import MalformedMessage, PeerloomError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom._stream import Stream

STREAM_FAILURES: Final = (
    PeerloomError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    TimeoutError,
)
"""What talking to a peer may raise although nothing on this side is wrong."""


@asynccontextmanager
async def closing(stream: Stream) -> AsyncGenerator[Stream, None]:
    """Close the stream at the end, or reset it when the body fails or is cancelled."""
    try:
        yield stream
        await stream.aclose()
    except BaseException:
        stream.reset()
        raise


async def receive_exactly(stream: Stream, count: int) -> bytes:
    """Exactly `count` bytes, never one more.

    Raises `anyio.EndOfStream` at a clean end before the first byte, `MalformedMessage` at an end
    between the first and the last.
    """
    received = b""
    while len(received) < count:
        try:
            received += await stream.receive(count - len(received))
        except anyio.EndOfStream:
            if received:
                raise MalformedMessage("the stream ended inside a message") from None
            raise
    return received
