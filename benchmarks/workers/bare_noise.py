"""Noise's records on a blocking socket: our record layer with nothing around it.

Its keys are fixed: what is measured is encryption, not the handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._security._noise_records import NoiseRecords

if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from typing import Self

_DIALER_KEY: Final = bytes(32)
_LISTENER_KEY: Final = bytes([1]) * 32
# What is encrypted and handed to the system at a time, and read at a time.
_WRITE_BYTES: Final = 256 * 1024
_READ_BYTES: Final = 512 * 1024


class NoiseSocket:
    """A socket whose writes are gathered until somebody reads."""

    def __init__(self, plain: socket.socket, records: NoiseRecords) -> None:
        self._plain = plain
        self._records = records
        self._gathered: list[bytes] = []
        self._size = 0
        self._read: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Encrypt and send it, together with what comes next."""
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= _WRITE_BYTES:
            self._flush()

    def recv(self, count: int) -> bytes:
        """Up to so many bytes, none at the end."""
        self._flush()
        piece = self._next_piece()
        if len(piece) > count:
            self._read.append(piece[count:])
        return piece[:count]

    def recv_into(self, buffer: memoryview) -> int:
        """Fill the buffer with what has come; how much that is."""
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Send what is left, and close."""
        self._flush()
        self._plain.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _flush(self) -> None:
        if self._gathered:
            self._plain.sendall(self._records.seal(self._gathered))
            self._gathered.clear()
            self._size = 0

    def _next_piece(self) -> bytes:
        while not self._read:
            data = self._plain.recv(_READ_BYTES)
            if not data:
                return b""
            self._read = [*self._records.open(data)][::-1]
        return self._read.pop()


def client(plain: socket.socket) -> NoiseSocket:
    """The dialling side."""
    return NoiseSocket(plain, NoiseRecords(_DIALER_KEY, _LISTENER_KEY))


def server(plain: socket.socket) -> NoiseSocket:
    """The listening side."""
    return NoiseSocket(plain, NoiseRecords(_LISTENER_KEY, _DIALER_KEY))
