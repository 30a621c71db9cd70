"""TCP: ``/ip4|ip6/<host>/tcp/<port>``.

A listening socket is bound without SO_REUSEPORT, so a taken port is refused at once; the option
is set once it listens, so that dials can leave from its port: hole punching needs that, and a
NAT in between then keeps one mapping.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._addresses import interface_hosts, tcp_address, tcp_endpoint
from peerloom._links import DialOptions, Listener, RawLink, Transport

from ._cannot_listen import cannot_listen
from ._socket_pipe import SocketPipe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from multiaddr import Multiaddr

LISTEN_BACKLOG: Final = 1024  # as rust-libp2p; the kernel caps it at net.core.somaxconn

_PORT_UNUSABLE: Final = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EINVAL}
_ACCEPT_RETRY: Final = {errno.ECONNABORTED, errno.EPROTO, errno.EINTR}


class TcpTransport(Transport):
    """Dials and listens on TCP, IPv4 and IPv6, without delay (TCP_NODELAY)."""

    def __init__(self) -> None:
        self._listening: list[tuple[socket.AddressFamily, str, int]] = []

    def handles(self, address: Multiaddr) -> bool:
        """Whether the address is ``/ip4|ip6/<host>/tcp/<port>``."""
        return tcp_endpoint(address) is not None

    async def dial(self, address: Multiaddr, options: DialOptions) -> RawLink:
        """Connect, from a port that this transport listens on where that is possible."""
        endpoint = tcp_endpoint(address)
        assert endpoint is not None
        family, host, port = endpoint
        source = self._source_for(family, host) if options.reuse_port else None
        if source is not None:
            try:
                return _link(await _connect(family, host, port, source), reuses_port=True)
            except OSError as error:
                if error.errno not in _PORT_UNUSABLE:
                    raise
        return _link(await _connect(family, host, port, None))

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[TcpListener, None]:
        """Listen while the context lasts; raises `ListenFailed` if the port is taken."""
        endpoint = tcp_endpoint(address)
        assert endpoint is not None
        family, host, port = endpoint
        try:
            sock = _listening_socket(family, host, port)
        except OSError as error:
            raise cannot_listen(address, error) from error
        bound = (family, host, sock.getsockname()[1])
        self._listening.append(bound)
        try:
            yield TcpListener(sock)
        finally:
            self._listening.remove(bound)
            anyio.notify_closing(sock)
            sock.close()

    def _source_for(self, family: socket.AddressFamily, host: str) -> tuple[str, int] | None:
        loopback = host in {"127.0.0.1", "::1"}
        for listening, bound_host, port in self._listening:
            if listening == family and (loopback or bound_host not in {"127.0.0.1", "::1"}):
                return bound_host, port
        return None


class TcpListener(Listener):
    """A listening TCP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        host, port = sock.getsockname()[:2]
        hosts = list(interface_hosts(sock.family)) if host in {"0.0.0.0", "::"} else [host]  # noqa: S104 - a comparison
        self._addresses = tuple(tcp_address(each, port) for each in hosts)

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """The bound addresses; a wildcard stands for the interfaces' addresses."""
        return self._addresses

    async def accept(self) -> RawLink:
        """The next connection; raises OSError when the system refuses one."""
        while True:
            try:
                sock, _ = self._socket.accept()
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError as error:
                if self._socket.fileno() < 0:
                    raise anyio.ClosedResourceError from error
                if error.errno not in _ACCEPT_RETRY:
                    raise
            else:
                sock.settimeout(0)
                with suppress(OSError):  # it may be gone already: take the next one
                    _set_nodelay(sock)
                    return _link(sock)
                sock.close()


def _listening_socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(LISTEN_BACKLOG)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        sock.close()
        raise
    return sock


async def _connect(
    family: socket.AddressFamily, host: str, port: int, source: tuple[str, int] | None
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        _set_nodelay(sock)
        if source is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(source)
        with suppress(BlockingIOError):
            sock.connect((host, port))
        await anyio.wait_writable(sock)
        if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            refused = code == errno.ECONNREFUSED
            raise OSError(code, "nobody listens there" if refused else os.strerror(code))
        if sock.getsockname() == sock.getpeername():
            # From our listen port to our own listen port TCP connects a socket to itself.
            raise OSError(errno.EADDRINUSE, "connected to itself")
    except BaseException:
        sock.close()
        raise
    return sock


def _set_nodelay(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _link(sock: socket.socket, *, reuses_port: bool = False) -> RawLink:
    local, remote = sock.getsockname(), sock.getpeername()
    return RawLink(
        stream=SocketPipe(sock),
        local_address=tcp_address(local[0], local[1]),
        remote_address=tcp_address(remote[0], remote[1]),
        reuses_port=reuses_port,
    )
