"""YamuxStream: one stream of a yamux link, as anyio sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom._errors import StreamReset
from peerloom._links import READ_NOW_BYTES

from ._taking_turns import TakingTurns
from ._yamux_state import Reset
from ._yamux_writer import TURNS_TO_ADD, TURNS_TO_SPEAK

if TYPE_CHECKING:
    from ._yamux_link import YamuxLink
    from ._yamux_session import YamuxSession
    from ._yamux_state import StreamState

# Behind more than that, in one write, the writer waits for no more.
SMALL_WRITE_BYTES: Final = 4 * 1024


class YamuxStream(TakingTurns):
    """A stream; see `MuxedStream`. One task may receive while another sends."""

    def __init__(self, link: YamuxLink, session: YamuxSession, state: StreamState) -> None:
        self._link = link
        self._reader = link.reader
        self._session = session
        self._state = state
        self._readable = link.wakeup()
        self._writable = link.wakeup()
        self._receiving = False
        self._sending = False
        self._closed = False
        self._writes = 0  # since it waited for something to read
        self._speaks_once = False
        self._rounds = 0

    def __repr__(self) -> str:
        return f"<YamuxStream {self._state.id}>"

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes, at least one."""
        if self._receiving:
            raise anyio.BusyResourceError("receiving from")
        self._receiving = True
        state, link = self._state, self._link
        try:
            if self._turn_is_over():
                await checkpoint()
            while not (data := self._session.read(state, max_bytes)):
                if state.reset or state.eof_received or self._closed or link.ended:
                    self._raise_unreadable()
                self._about_to_wait()
                if self._rounds > 1:
                    await self._reader.until_readable(self, self._readable)
                else:
                    await self._readable.wait()
        finally:
            self._receiving = False
        if state.in_urgent:
            link.wake_writer(TURNS_TO_ADD)
        return data

    def receive_now(self) -> bytes:
        """What has arrived, or nothing."""
        return b"" if self._receiving else self._session.read(self._state, READ_NOW_BYTES)

    def send_now(self, data: bytes) -> bool:
        """Take all of it over, if there is room."""
        self._raise_if_unwritable()
        if self._sending or not self._session.has_room(self._state, len(data)):
            return False
        self._write(data)
        return True

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send all of it; if cancelled, an unknown part has been sent."""
        if self._sending:
            raise anyio.BusyResourceError("sending to")
        self._sending = True
        try:
            if self._turn_is_over():
                await checkpoint()
            data = item if type(item) is bytes else bytes(item)
            taken = self._write(data)
            if taken < len(data):
                await self._send_rest(memoryview(data)[taken:])
        finally:
            self._sending = False

    async def send_eof(self) -> None:
        """End the writing half behind what was sent."""
        if self._sending:
            raise anyio.BusyResourceError("sending to")
        if not self._state.eof_due:
            self._raise_if_unwritable()
            self._session.write_eof(self._state)
        self._link.wake_writer()
        if self._turn_is_over():
            await checkpoint()

    async def aclose(self) -> None:
        """Close both halves; what was sent is still delivered, in the background."""
        if not self._closed:
            self._closed = True
            self._session.close(self._state, self._link.now())
            if not self._link.flush_now():
                self._link.wake_writer()
            self.wake()
        if self._turn_is_over():
            await checkpoint()

    def reset(self) -> None:
        """End both halves at once."""
        self._session.reset(self._state)
        self._link.wake_writer()
        self.wake()

    def wake(self) -> None:
        """Let the tasks that wait look again."""
        if self._receiving:
            self._readable.set()
            self._reader.wake(self)
        if self._sending:
            self._writable.set()

    async def _send_rest(self, rest: memoryview) -> None:
        while rest:
            await self._writable.wait()
            self._calls = 0
            rest = rest[self._write(rest) :]

    def _write(self, data: bytes | memoryview) -> int:
        state, link = self._state, self._link
        if state.reset or state.eof_due or self._closed or link.ended:
            self._raise_if_unwritable()
        taken = self._session.write(state, data)
        self._writes += 1
        if taken < len(data):  # it waits for room, and must not have been woken for it already
            link.wake_writer(0)
        elif not (self._speaks_once and self._writes == 1 and link.flush_now()):
            link.wake_writer(TURNS_TO_ADD if taken > SMALL_WRITE_BYTES else TURNS_TO_SPEAK)
        return taken

    def _about_to_wait(self) -> None:
        """Whoever writes once and then waits, writes all at once the next time: nothing follows.

        To wake the writer, who would find nothing to do, was a sixth of what an echo costs.
        """
        self._calls = 0
        if self._writes:
            self._speaks_once = self._writes == 1
            self._rounds = self._rounds + 1 if self._speaks_once else 0
            self._writes = 0
            if self._state.outgoing.size:
                self._link.flush_now()

    def _raise_if_unwritable(self) -> None:
        if self._closed or self._state.eof_due:
            raise anyio.ClosedResourceError
        self._raise_if_reset()
        self._link.raise_if_ended()

    def _raise_unreadable(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        self._raise_if_reset()
        if self._state.eof_received:
            raise anyio.EndOfStream
        self._link.raise_if_ended()

    def _raise_if_reset(self) -> None:
        reset = self._state.reset
        if reset is Reset.HERE:
            self._link.raise_if_ended()
        if reset is not None:
            raise StreamReset(reset.value)
