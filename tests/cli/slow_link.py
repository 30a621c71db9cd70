"""A slow way to a port of this machine."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from math import inf
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES = 16_384


class SlowLink:
    """Carries one TCP connection: towards the port so many bytes a second, then no more.

    Attributes:
        port: where it begins.
    """

    def __init__(self, port: int, bytes_a_second: float, max_bytes: float) -> None:
        self._end = port
        self._bytes_a_second = bytes_a_second
        self._max_bytes = max_bytes
        self._over = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE_BYTES)
        self._sockets = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in self._sockets:
            each.close()

    def _run(self) -> None:
        with suppress(OSError):
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._end))
            self._sockets += near, far
            back = Thread(target=self._carry, args=(far, near, inf, inf))
            back.start()
            self._carry(near, far, self._bytes_a_second, self._max_bytes)
            back.join()

    def _carry(
        self, source: socket.socket, target: socket.socket, rate: float, max_bytes: float
    ) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                max_bytes -= len(data)
                if self._over.wait(len(data) / rate if max_bytes >= 0 else None):
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def slow_link(port: int, bytes_a_second: float = inf, max_bytes: float = inf) -> Iterator[int]:
    """A port that leads to another one."""
    link = SlowLink(port, bytes_a_second, max_bytes)
    try:
        yield link.port
    finally:
        link.close()
