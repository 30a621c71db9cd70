"""AskedOfTrio: readiness on trio's own terms; imported only where trio runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import trio
from trio.lowlevel import wait_readable

if TYPE_CHECKING:
    import socket


class AskedOfTrio:
    """By trio, which is told of the socket before each wait; see `Readiness`."""

    def __init__(self, sock: socket.socket) -> None:
        self._number = sock.fileno()

    async def wait(self) -> None:
        """See `Readiness`."""
        try:
            await wait_readable(self._number)
        except trio.ClosedResourceError:
            raise anyio.ClosedResourceError from None

    def close(self) -> None:
        """See `Readiness`; whoever closes the socket notifies trio, of writers as well."""
