"""ByteQueue: bytes in the order in which they came, without copying big pieces."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from peerloom._links import Buffer

# A piece in the queue costs some 200 bytes beside its content: smaller ones are merged, lest a
# peer that sends single bytes make a window of 256 KiB cost 50 MiB.
SMALL_BYTES: Final = 2048
MERGED_BYTES: Final = 16 * 1024


class ByteQueue:
    """A queue of bytes; `size` is how many it holds.

    An empty one has no deque, which is 700 bytes: an idle connection has four queues.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[Buffer] | tuple[()] = ()
        self.size = 0

    def append(self, piece: Buffer) -> None:
        """Add bytes at the end; the queue keeps the object if it is not small."""
        length = len(piece)
        self.size += length
        pieces = self._pieces
        if not pieces:
            self._pieces = deque((piece,))
            return
        if length < SMALL_BYTES:
            tail = pieces[-1]
            if type(tail) is bytearray and len(tail) < MERGED_BYTES:
                tail += piece
                return
            if len(tail) < SMALL_BYTES:
                pieces[-1] = bytearray(b"".join((tail, piece)))
                return
        pieces.append(piece)

    def read(self, max_bytes: int) -> bytes:
        """Take up to so many bytes; a piece that fits comes out as the object that went in."""
        pieces = self._pieces
        if not pieces:
            return b""
        first = pieces[0]
        if len(first) <= max_bytes and (
            len(pieces) == 1 or len(first) + len(pieces[1]) > max_bytes
        ):
            pieces.popleft()
            self.size -= len(first)
            if not pieces:
                self._pieces = ()
            return first if type(first) is bytes else bytes(first)
        return b"".join(self.take(max_bytes))

    def take(self, max_bytes: int) -> list[Buffer]:
        """Take up to so many bytes as the pieces in which they lie."""
        pieces = self._pieces
        if max_bytes >= self.size:
            self.clear()
            return list(pieces)
        taken: list[Buffer] = []
        left = max_bytes
        self.size -= left
        while left and pieces:
            piece = pieces[0]
            length = len(piece)
            if length > left:
                view = memoryview(piece)
                taken.append(view[:left])
                pieces[0] = view[left:]
                break
            taken.append(pieces.popleft())
            left -= length
        if not pieces:
            self._pieces = ()
        return taken

    def clear(self) -> None:
        """Drop everything."""
        self._pieces = ()
        self.size = 0
