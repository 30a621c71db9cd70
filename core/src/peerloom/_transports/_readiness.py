"""Readiness: waiting until a socket can be read, again and again."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from peerloom._backend import runs_on_trio

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class Readiness(Protocol):
    """Of one socket; one task, its reader, may `wait` at a time, and one `lead`."""

    @property
    def leads(self) -> bool:
        """Whether there can be a task that leads."""
        ...

    async def wait(self) -> None:
        """Until there may be something to read; raises `anyio.ClosedResourceError` when closed."""

    async def lead(self) -> None:
        """The same, in the stead of the task that waits."""

    def interrupt(self) -> None:
        """Let all that wait look again."""

    def close(self) -> None:
        """The socket is about to be closed."""


class AskedEachTime:
    """By anyio, which tells the event loop of the socket before each wait."""

    leads: Final = False

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def wait(self) -> None:
        """See `Readiness`."""
        await anyio.wait_readable(self._socket)

    lead = wait

    def interrupt(self) -> None:
        """See `Readiness`."""
        anyio.notify_closing(self._socket)

    def close(self) -> None:
        """See `Readiness`; whoever closes the socket notifies anyio, of writers as well."""


class StandingOrder:
    """An asyncio loop knows the socket until it is read without having been waited for.

    To add and remove a reader for each wait was the largest part of what asyncio adds to the
    latency of a small message. The socket is read as soon as the loop tells: a turn later, when
    the task that waited has read it, the loop would have told once more.
    """

    leads: Final = True

    def __init__(
        self, sock: socket.socket, loop: asyncio.AbstractEventLoop, read: Callable[[], None]
    ) -> None:
        self._number = sock.fileno()
        self._loop = loop
        self._read = read
        self._waiters: list[asyncio.Future[None]] = []  # the last one is told
        self._ordered = False

    async def wait(self) -> None:
        """See `Readiness`."""
        if not self._ordered:
            self._loop.add_reader(self._number, self._tell)
            self._ordered = True
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it was told already, of what is for another now
                self.interrupt()
            raise
        finally:
            self._waiters.remove(waiter)

    lead = wait

    def interrupt(self) -> None:
        """See `Readiness`."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def close(self) -> None:
        """See `Readiness`."""
        self._withdraw()
        self._read = _read_nothing  # what it was belongs to whom this belongs to
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(anyio.ClosedResourceError())

    def _tell(self) -> None:
        if not self._waiters:
            self._withdraw()  # the loop would call again at every turn
        elif not self._waiters[-1].done():
            self._read()
            self._waiters[-1].set_result(None)

    def _withdraw(self) -> None:
        if self._ordered:
            self._ordered = False
            self._loop.remove_reader(self._number)


def _read_nothing() -> None:
    """Stands for a socket that is closed."""


def readiness_of(sock: socket.socket, read: Callable[[], None]) -> Readiness:
    """The kind that suits the running event loop; it may `read` the socket before it tells."""
    if runs_on_trio():
        from ._readiness_trio import AskedOfTrio  # noqa: PLC0415 - it needs trio

        return AskedOfTrio(sock)
    if sys.platform == "win32":
        return AskedEachTime(sock)
    return StandingOrder(sock, asyncio.get_running_loop(), read)
