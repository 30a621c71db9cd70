"""Length-delimited frames over a pipe, as ``/test/frames/1`` has them: varint, then the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .pipe import StreamBroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .pipe import Pipe

FRAMES: Final = "/test/frames/1"
MAX_FRAME_BYTES: Final = 1024 * 1024
_MAX_LENGTH_BYTES: Final = 3  # of a varint up to MAX_FRAME_BYTES


class Frames:
    """The frames that arrive on a pipe."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._buffer = bytearray()
        self._ended = False

    async def next(self) -> bytes | None:
        """The next frame, or None at the clean end; raises `StreamBroken` after any other."""
        while (found := _split(self._buffer)) is None:
            data = b"" if self._ended else await self._pipe.read()
            if not data:
                self._ended = True
                if self._buffer:
                    raise StreamBroken(f"ended within a frame, after {len(self._buffer)} bytes")
                return None
            self._buffer += data
        frame, used = found
        del self._buffer[:used]
        return frame


def encode_frame(frame: bytes) -> bytes:
    """A frame behind its length."""
    length = len(frame)
    prefix = bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(prefix) + bytes([length]) + frame


def cut(data: Iterable[bytes], sizes: Sequence[int]) -> Iterator[bytes]:
    """Those bytes in frames of those sizes."""
    buffer = bytearray()
    blocks = iter(data)
    for size in sizes:
        while len(buffer) < size:
            buffer += next(blocks)
        yield bytes(buffer[:size])
        del buffer[:size]


def _split(buffer: bytearray) -> tuple[bytes, int] | None:
    length = 0
    for index, byte in enumerate(buffer[:_MAX_LENGTH_BYTES]):
        length |= (byte & 0x7F) << 7 * index
        if byte <= 0x7F:
            return _frame_at(buffer, index + 1, length)
    if len(buffer) >= _MAX_LENGTH_BYTES:
        raise StreamBroken("a frame's length of more than three bytes")
    return None


def _frame_at(buffer: bytearray, begin: int, length: int) -> tuple[bytes, int] | None:
    if length > MAX_FRAME_BYTES:
        raise StreamBroken(f"a frame of {length} bytes")
    end = begin + length
    return (bytes(buffer[begin:end]), end) if len(buffer) >= end else None
