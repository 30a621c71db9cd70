"""AskedOfTrio: readiness on trio's own terms; imported only where trio runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import trio
from trio.lowlevel import (
    Abort,
    current_task,
    notify_closing,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
)

if TYPE_CHECKING:
    import socket

    from trio.lowlevel import Task


class AskedOfTrio:
    """By trio, which is told of the socket before each wait; see `Readiness`.

    Of trio one task may wait for a socket: while another leads, the reader is parked.
    """

    leads: Final = True

    def __init__(self, sock: socket.socket) -> None:
        self._number = sock.fileno()
        self._reader_waits = False
        self._led = False
        self._parked: Task | None = None
        self._interrupted = False
        self._closed = False

    async def wait(self) -> None:
        """See `Readiness`."""
        told = False
        while not told and not self._interrupted:
            self._raise_if_closed()
            if self._led:
                self._parked = current_task()
                await wait_task_rescheduled(self._abort_parking)
            else:
                told = await self._wait_as_reader()
        self._interrupted = False

    async def _wait_as_reader(self) -> bool:
        self._reader_waits = True
        try:
            await wait_readable(self._number)
        except trio.ClosedResourceError:
            self._raise_if_closed()
            return False
        finally:
            self._reader_waits = False
        return True

    async def lead(self) -> None:
        """See `Readiness`."""
        if self._reader_waits:
            notify_closing(self._number)
        self._led = True
        try:
            await wait_readable(self._number)
        except trio.ClosedResourceError:
            self._raise_if_closed()
        finally:
            self._led = False
            self._unpark()

    def interrupt(self) -> None:
        """See `Readiness`; who waits to write looks again as well."""
        self._interrupted = True
        notify_closing(self._number)
        self._unpark()

    def close(self) -> None:
        """See `Readiness`; whoever closes the socket notifies trio, of writers as well."""
        self._closed = True
        self._unpark()

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError from None

    def _unpark(self) -> None:
        if self._parked is not None:
            parked, self._parked = self._parked, None
            reschedule(parked)

    def _abort_parking(self, _raise_cancel: object) -> Abort:
        self._parked = None
        return Abort.SUCCEEDED
