"""Frames: a length of four bytes, big-endian, then that many bytes; sans-IO.

What calimero-network speaks: tokio's length-delimited codec with a bound of 8 MiB.
"""

from __future__ import annotations

from typing import Final

from peerloom import MalformedMessage

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
"""The longest message that can be sent or received, as its codec writes it."""
LENGTH_BYTES: Final = 4

Buffer = bytes | bytearray | memoryview


def encode_frame(payload: Buffer) -> bytes:
    """The payload as a frame; raises ValueError when it is longer than a frame may be."""
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(
            f"a message of {len(payload)} bytes does not fit into a frame of {MAX_FRAME_BYTES}: "
            "send it in pieces, or use a byte stream"
        )
    return b"".join((len(payload).to_bytes(LENGTH_BYTES, "big"), payload))


class FrameDecoder:
    """Frames out of bytes that arrive in any pieces; keeps what has begun for the next call."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: Buffer) -> None:
        """Take bytes as they arrived; call `next_frame` until it gives None."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The payload of the next whole frame, or None.

        Raises `MalformedMessage` if the frame is too long, as soon as its length is known.
        """
        if len(self._buffer) < LENGTH_BYTES:
            return None
        size = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        if size > MAX_FRAME_BYTES:
            raise MalformedMessage(f"a frame of {size} bytes; at most {MAX_FRAME_BYTES} may come")
        end = LENGTH_BYTES + size
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            payload = bytes(view[LENGTH_BYTES:end])
        del self._buffer[:end]
        return payload

    def end_of_stream(self) -> None:
        """The stream has ended; raises `MalformedMessage` if that was inside a frame."""
        if self._buffer:
            raise MalformedMessage("the stream ended inside a frame")
