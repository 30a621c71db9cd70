"""Blocking sockets, ``python -m benchmarks.workers.blocking tcp|tls|noise``: Python at its best.

Nothing in between: no multiplexing, no flow control of its own, no event loop.
"""

from __future__ import annotations

import platform
import socket
import ssl
import sys
from importlib.metadata import version
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
import anyio.to_thread
from attrs import frozen

from . import bare_noise, throw_away_tls
from .channel import Channel
from .host import LOOPBACK
from .payload import Tag, blocks, blocks_of
from .scripts import HEADER_BYTES, REPORT_BYTES, read_report, report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from .channel import Commands

    Wrap = Callable[[socket.socket], "Connection"]

Fields = dict[str, Any]

_READ_BYTES: Final = 256 * 1024


class Connection(Protocol):
    """A blocking socket, or something that is used like one."""

    def sendall(self, data: bytes, /) -> None:
        """Send it."""

    def recv(self, count: int, /) -> bytes:
        """Up to so many bytes, none at the end."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Fill the buffer with what has come; how much that is."""

    def close(self) -> None:
        """Close it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


@frozen
class Kind:
    """What becomes of a TCP socket before it carries data."""

    name: str
    version: str
    security: str
    dialed: Wrap
    accepted: Callable[[], Wrap]


_KINDS: Final[Mapping[str, Kind]] = {
    "tcp": Kind(
        "plain-tcp", platform.release(), "tls", lambda plain: plain, lambda: lambda plain: plain
    ),
    "tls": Kind(
        "blocking-tls", ssl.OPENSSL_VERSION, "tls", throw_away_tls.client, throw_away_tls.server
    ),
    "noise": Kind(
        "blocking-noise",
        f"cryptography {version('cryptography')}",
        "noise",
        bare_noise.client,
        lambda: bare_noise.server,
    ),
}


class Blocking:
    """The worker's commands; an address is ``IP:PORT``, and also the id of its peer."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._connection: Connection
        self.commands: Commands = {
            "start": self._start,
            "dial": self._dial,
            "disconnect": self._disconnect,
            "send": self._send,
        }

    async def _start(self, transport: str, security: str, ip: str = LOOPBACK) -> Fields:
        if (transport, security) != ("tcp", self._kind.security):
            raise ValueError(f"{self._kind.name} does not stand beside {security} over {transport}")
        listener = socket.create_server((ip, 0))
        Thread(target=_accept, args=(listener, self._kind.accepted()), daemon=True).start()
        address = f"{ip}:{listener.getsockname()[1]}"
        return {
            "peer": address,
            "addresses": [address],
            "implementation": self._kind.name,
            "version": self._kind.version,
        }

    async def _dial(self, address: str) -> None:
        ip, _, port = address.partition(":")
        plain = await anyio.to_thread.run_sync(socket.create_connection, (ip, int(port)))
        _set_nodelay(plain)
        self._connection = await anyio.to_thread.run_sync(self._kind.dialed, plain)

    async def _disconnect(self, peer: str) -> None:  # noqa: ARG002
        self._connection.close()

    async def _send(self, peer: str, bytes: int, seed: int) -> Fields:  # noqa: A002, ARG002
        return await anyio.to_thread.run_sync(_send, self._connection, bytes, seed)


def _send(connection: Connection, nbytes: int, seed: int) -> Fields:
    ring = blocks_of(seed)
    begun = perf_counter()
    connection.sendall(nbytes.to_bytes(HEADER_BYTES, "big"))
    for block in blocks(ring, nbytes):
        connection.sendall(block)
    report = _exactly(connection, REPORT_BYTES)
    return {"seconds": perf_counter() - begun, **read_report(report)}


def _accept(listener: socket.socket, wrap: Wrap) -> None:
    while True:
        plain, _ = listener.accept()
        _set_nodelay(plain)
        with wrap(plain) as connection:
            _receive(connection)


def _receive(connection: Connection) -> None:
    wanted, count, tag = int.from_bytes(_exactly(connection, HEADER_BYTES), "big"), 0, Tag()
    buffer = memoryview(bytearray(_READ_BYTES))
    while count < wanted:
        got = connection.recv_into(buffer)
        if not got:
            raise ConnectionError(f"ended {wanted - count} bytes early")
        tag.update(buffer[:got])
        count += got
    connection.sendall(report_of(count, tag))


def _exactly(connection: Connection, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError(f"ended {count - len(data)} bytes early")
        data += more
    return data


def _set_nodelay(plain: socket.socket) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _main() -> None:
    await Channel().serve(Blocking(_KINDS[sys.argv[1]]).commands)


anyio.run(_main)
