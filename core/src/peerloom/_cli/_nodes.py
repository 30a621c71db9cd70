"""Nodes as commands run them: listening on the usual port, or on a free one."""

from __future__ import annotations

import errno
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from attrs import evolve

from peerloom._node import Node

from ._output import tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from peerloom._config import NetworkConfig

PORT: Final = 2428
_ANY_HOST: Final = (
    (socket.AF_INET, "0.0.0.0", "/ip4/0.0.0.0"),  # noqa: S104 - a node is there to be reached
    (socket.AF_INET6, "::", "/ip6/::"),
)
_TRANSPORTS: Final = ((socket.SOCK_STREAM, "tcp", ""), (socket.SOCK_DGRAM, "udp", "/quic-v1"))


@asynccontextmanager
async def listening_node(
    config: NetworkConfig, plugins: Sequence[object] = ()
) -> AsyncIterator[Node]:
    """A node that listens where its configuration says, or else on all interfaces.

    Raises `ListenFailed` if it can listen nowhere.
    """
    if not config.listen:
        config = evolve(config, listen=tuple(_everywhere()))
    async with Node(config, plugins=plugins) as node:
        yield node


def _everywhere() -> Iterator[str]:
    # Found out before the node starts, because its first dials leave from these ports.
    for family, host, address in _ANY_HOST:
        for kind, name, rest in _TRANSPORTS:
            trouble = _trouble(family, kind, host)
            if trouble is None:
                yield f"{address}/{name}/{PORT}{rest}"
            elif trouble.errno == errno.EADDRINUSE:
                which = f"{name.upper()} port {PORT} of {address}"
                tell(f"{which} is taken: listening on a free port instead")
                yield f"{address}/{name}/0{rest}"
            else:
                tell(f"not listening on {address}/{name}: {trouble.strerror}")


def _trouble(family: socket.AddressFamily, kind: socket.SocketKind, host: str) -> OSError | None:
    """Why the usual port cannot be listened on, or None."""
    try:
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, PORT))
            if kind is socket.SOCK_STREAM:
                probe.listen()
    except OSError as error:
        return error
    return None
