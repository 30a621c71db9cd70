"""What the small request protocols of core share: bounded reads, and which errors are ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import MalformedMessage, PeerloomError

if TYPE_CHECKING:
    from peerloom._stream import Stream

STREAM_FAILURES: Final = (
    PeerloomError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    TimeoutError,
)
"""What talking to a peer may raise although nothing on this side is wrong."""


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
