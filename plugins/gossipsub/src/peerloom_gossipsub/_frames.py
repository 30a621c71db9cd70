"""Frames out of a stream that arrives in any pieces: each has its length in front, as a varint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_LENGTH_BYTES = 5  # 32 bits: far more than any bound
_MAX_EMPTY_FRAMES = 100  # of a stream; go-libp2p-pubsub begins with one where it has no topics


class FrameDecoder:
    """Keeps what has arrived of the next frame. Too long a frame is refused by its length."""

    def __init__(self, max_frame_bytes: int) -> None:
        """Accept frames of up to `max_frame_bytes`."""
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()
        self._empty_frames = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what has arrived and give the frames that are whole.

        Raises `MalformedMessage` at a frame that is too long, and where empty ones come without
        end; take all before you feed again.
        """
        self._buffer += data
        at = 0
        try:
            while (head := self._length(at)) is not None:
                size, start = head
                if len(self._buffer) < start + size:
                    break
                yield bytes(self._buffer[start : start + size])
                at = start + size
        finally:
            del self._buffer[:at]

    @property
    def kept_bytes(self) -> int:
        """What has arrived of a frame that is not whole; the stream may end where there is none."""
        return len(self._buffer)

    def _length(self, at: int) -> tuple[int, int] | None:
        size = 0
        for index, byte in enumerate(self._buffer[at : at + _MAX_LENGTH_BYTES]):
            size |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return self._checked(size), at + index + 1
        if len(self._buffer) - at >= _MAX_LENGTH_BYTES:
            raise MalformedMessage("a frame's length is no number")
        return None

    def _checked(self, size: int) -> int:
        if size > self._max_frame_bytes:
            raise MalformedMessage(
                f"a frame of {size} bytes; at most {self._max_frame_bytes} may come"
            )
        self._empty_frames += not size
        if self._empty_frames > _MAX_EMPTY_FRAMES:
            raise MalformedMessage("empty frames without end")
        return size
