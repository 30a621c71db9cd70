"""UdpSocket: one non-blocking UDP socket, many datagrams a system call where the kernel can.

anyio's own UDP sockets drop what arrives while nobody waits. On Linux the kernel joins equal
datagrams of one sender on arrival (GRO) and splits a buffer when sending (GSO).
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103  # linux/udp.h
UDP_GRO: Final = 104
BUFFER_BYTES: Final = 4 * 1024 * 1024  # asked for; the kernel caps it at net.core.rmem_max
MAX_READS: Final = 64  # a wake-up, then others get their turn
MAX_WAKEUP_BYTES: Final = 1024 * 1024
MAX_BUFFER_BYTES: Final = 65_000  # of one system call: an IP packet holds 65,507
MAX_SEGMENTS: Final = 44  # 64 from Linux 5.4 on, but the buffer is full before with 1,452 bytes
_ANCILLARY_BYTES: Final = 64
_RECEIVE_ERRORS: Final = {  # linux/in.h, linux/in6.h: IP_RECVERR, IPV6_RECVERR
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_ERROR_QUEUE: Final = 0x2000  # MSG_ERRQUEUE
_ERROR_BYTES: Final = 512
_ERRORS_OF_OTHERS: Final = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
_NO_OFFLOAD: Final = {errno.EIO, errno.EINVAL, errno.ENOPROTOOPT, errno.EOPNOTSUPP}

Address = tuple[Any, ...]
Datagram = tuple[bytes, Address]


class UdpSocket:
    """A bound UDP socket.

    Attributes:
        family: its address family.
        unsendable: datagrams that the system refused to send.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.family = sock.family
        self.unsendable = 0
        self._socket = sock
        _set(sock, UDP_GRO, 1)
        self._gso = _set(sock, UDP_SEGMENT, 0)
        self._told_of_errors = _set(sock, _RECEIVE_ERRORS[self.family][1], 1, self._level)
        self._queue: deque[Datagram] = deque()

    @property
    def _level(self) -> int:
        return _RECEIVE_ERRORS[self.family][0]

    @classmethod
    def bind(cls, family: socket.AddressFamily, host: str, port: int) -> UdpSocket:
        """Bind; raises OSError, also if the port is taken."""
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    @property
    def address(self) -> tuple[str, int]:
        """The bound host and port."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def host_towards(self, remote: Address) -> str:
        """The host of this machine from which datagrams to that address leave."""
        with socket.socket(self.family, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.connect(remote)  # sends nothing
            return str(probe.getsockname()[0])
        return self.address[0]

    def receive_singly(self) -> None:
        """Receive no more than one datagram at a time: for whoever is slow with each."""
        _set(self._socket, UDP_GRO, 0)

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._socket.fileno() < 0

    @property
    def blocked(self) -> bool:
        """Whether datagrams wait until the system takes more: give it no others before."""
        return bool(self._queue)

    def close(self) -> None:
        """Close it; who waits gets `anyio.ClosedResourceError`."""
        if not self.closed:
            anyio.notify_closing(self._socket)
            self._socket.close()
        self._queue.clear()

    async def wait_readable(self) -> None:
        """Wait until there is something to receive."""
        await anyio.wait_readable(self._socket)

    async def wait_writable(self) -> None:
        """Wait until the system takes more."""
        await anyio.wait_writable(self._socket)

    def receive(self) -> Iterator[tuple[bytes, int, Address]]:
        """What has arrived: buffers of datagrams of so many bytes (the last may be shorter)."""
        left = MAX_WAKEUP_BYTES
        for _ in range(MAX_READS):
            try:
                data, ancillary, _, address = self._socket.recvmsg(65535, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:  # of a datagram sent earlier: `refused` tells of which
                if self.closed:
                    return
                continue
            if data:  # a datagram may be empty
                yield data, _segment_of(ancillary) or len(data), address
            left -= len(data)
            if left <= 0:
                return

    def refused(self) -> Iterator[tuple[str, int]]:
        """Hosts and ports at which nobody listens, by what came back for datagrams to them."""
        for _ in range(MAX_READS if self._told_of_errors else 0):
            try:
                _, ancillary, _, address = self._socket.recvmsg(0, _ERROR_BYTES, _ERROR_QUEUE)
            except OSError:
                return
            for level, _, value in ancillary:
                code = int.from_bytes(value[:4], sys.byteorder)
                if level == self._level and code == errno.ECONNREFUSED:
                    yield address[0], address[1]

    def send(self, datagrams: Sequence[Datagram]) -> None:
        """Send; what the system does not take now waits for `flush`."""
        if self._queue:
            self._queue.extend(datagrams)
            return
        sent = self._send_some(datagrams)
        if sent < len(datagrams):
            self._queue.extend(datagrams[sent:])

    def flush(self) -> None:
        """Send what waits, as far as the system takes it."""
        waiting = list(self._queue)
        sent = self._send_some(waiting)
        self._queue = deque(waiting[sent:])

    def _send_some(self, datagrams: Sequence[Datagram]) -> int:
        at, again = 0, False
        while at < len(datagrams):
            end = self._run_end(datagrams, at)
            try:
                self._send_run(datagrams[at:end])
            except BlockingIOError:
                return at
            except OSError as error:
                if end - at > 1 and error.errno in _NO_OFFLOAD:
                    self._gso = False  # this interface cannot; once more, one by one
                    continue
                if error.errno in _ERRORS_OF_OTHERS and not again:
                    again = True  # of a datagram sent earlier, perhaps to somebody else
                    continue
                self.unsendable += end - at
            at, again = end, False
        return at

    def _run_end(self, datagrams: Sequence[Datagram], start: int) -> int:
        """Where the run of equal datagrams to one address ends that one call can send."""
        if not self._gso:
            return start + 1
        first, address = datagrams[start]
        size = len(first)
        end, total = start + 1, size
        limit = min(len(datagrams), start + MAX_SEGMENTS)
        while end < limit:
            data, to = datagrams[end]
            length = len(data)
            total += length
            if length > size or total > MAX_BUFFER_BYTES or to != address:
                break
            end += 1
            if length < size:
                break
        return end

    def _send_run(self, run: Sequence[Datagram]) -> None:
        data, address = run[0]
        if len(run) == 1:
            self._socket.sendto(data, address)
            return
        ancillary = [(SOL_UDP, UDP_SEGMENT, struct.pack("H", len(data)))]
        self._socket.sendmsg([each for each, _ in run], ancillary, 0, address)


def _segment_of(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in ancillary:
        if level == SOL_UDP and kind == UDP_GRO:
            return int.from_bytes(value[:4], sys.byteorder)
    return 0


def _set(sock: socket.socket, option: int, value: int, level: int = SOL_UDP) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    with suppress(OSError):
        sock.setsockopt(level, option, value)
        return True
    return False
