"""Readiness: waiting until a socket can be read, again and again."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Protocol

import anyio

from peerloom._backend import runs_on_trio

if TYPE_CHECKING:
    import socket


class Readiness(Protocol):
    """Of one socket; one task may wait at a time."""

    async def wait(self) -> None:
        """Until there is something to read; raises `anyio.ClosedResourceError` when closed."""

    def close(self) -> None:
        """The socket is about to be closed."""


class AskedEachTime:
    """By anyio, which tells the event loop of the socket before each wait."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def wait(self) -> None:
        """See `Readiness`."""
        await anyio.wait_readable(self._socket)

    def close(self) -> None:
        """See `Readiness`; whoever closes the socket notifies anyio, of writers as well."""


class StandingOrder:
    """An asyncio loop knows the socket until it is read without having been waited for.

    To add and remove a reader for each wait was the largest part of what asyncio adds to the
    latency of a small message.
    """

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._number = sock.fileno()
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._ordered = False

    async def wait(self) -> None:
        """See `Readiness`."""
        if not self._ordered:
            self._loop.add_reader(self._number, self._tell)
            self._ordered = True
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """See `Readiness`."""
        self._withdraw()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(anyio.ClosedResourceError())

    def _tell(self) -> None:
        if self._waiter is None:
            self._withdraw()  # the loop would call again at every turn
        elif not self._waiter.done():
            self._waiter.set_result(None)

    def _withdraw(self) -> None:
        if self._ordered:
            self._ordered = False
            self._loop.remove_reader(self._number)


def readiness_of(sock: socket.socket) -> Readiness:
    """The kind that suits the running event loop."""
    if runs_on_trio():
        from ._readiness_trio import AskedOfTrio  # noqa: PLC0415 - it needs trio

        return AskedOfTrio(sock)
    if sys.platform == "win32":
        return AskedEachTime(sock)
    return StandingOrder(sock, asyncio.get_running_loop())
