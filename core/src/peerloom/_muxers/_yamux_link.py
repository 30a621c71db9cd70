"""YamuxLink: a yamux session over a secured pipe."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import LinkClosed, MuxerViolation, PeerloomError, RecordError
from peerloom._links import MOST_READ_BYTES, MuxedLink
from peerloom._wakeup import wakeup_kind

from ._yamux_endings import cause_of_break, cause_of_eof, cause_of_go_away
from ._yamux_idle import until_ping_due
from ._yamux_reader import LinkReader
from ._yamux_stream import YamuxStream
from ._yamux_streams import LinkStreams
from ._yamux_unread import shed
from ._yamux_writer import TURNS_TO_SPEAK, LinkWriter

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerloom._links import RawLink, Secured
    from peerloom._runtime import Runtime
    from peerloom._unread import UnreadLedger

    from ._yamux_session import YamuxSession
    from ._yamux_settings import YamuxSettings
    from ._yamux_state import StreamState

PROTOCOL_ID: Final = "/yamux/1.0.0"
# That many may speak for themselves when they were woken at once: one that begins often comes
# along with the end of another.
FEW_STREAMS: Final = 2


class YamuxLink(MuxedLink):
    """A yamux link; see `MuxedLink`.

    `run` raises `RecordError` or `MuxerViolation` if the other side broke the rules, and
    `LinkClosed` if the pipe broke, fell silent, or the other side gave a reason for ending it.

    Attributes:
        ended: whether it has ended, or is about to.
    """

    def __init__(  # noqa: PLR0913 - what a link needs, each once
        self,
        secured: Secured,
        raw: RawLink,
        session: YamuxSession,
        *,
        runtime: Runtime,
        settings: YamuxSettings,
        ledger: UnreadLedger,
    ) -> None:
        self.peer = secured.peer
        self.public_key = secured.public_key
        self.security: str | None = None
        self.muxer: str | None = PROTOCOL_ID
        self.local_address = raw.local_address
        self.remote_address = raw.remote_address
        self.limits = raw.limits
        self.ended = False
        self.now = runtime.now
        self._records = secured.records
        self._early = secured.early_data
        self._pipe = raw.stream
        self._settings = settings
        self._session = session
        pipe_and_session = (raw.stream, secured.records, session, self.now)
        self.reader = LinkReader(*pipe_and_session, self._dispatch)
        self._streams = LinkStreams(session)
        self._writer = LinkWriter(*pipe_and_session, self._streams)
        self._entry = ledger.open(self)
        self._group: TaskGroup | None = None
        self.wakeup = wakeup_kind()
        self._crowded = False
        self._arrived = self.wakeup()
        self._acknowledged = self.wakeup()
        self._openers = 0
        self._read_ended = anyio.Event()
        self._over = anyio.Event()
        self._closing = False
        self._cause: PeerloomError | None = None

    @property
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip time, or None."""
        return self._session.round_trip_seconds

    @property
    def unread_bytes(self) -> int:
        """What has arrived and nobody has read."""
        return self._session.unread.size

    def shed(self, nbytes: int) -> int:
        """Reset streams, those first that hold most unread, until so much is free; how many."""
        count = shed(self._session, nbytes)
        self._streams.wake_touched()
        self._writer.wake()
        return count

    async def run(self) -> None:
        """Move the bytes until the link ends; returns after a clean end, else raises the cause."""
        if self._over.is_set():
            return
        try:
            async with anyio.create_task_group() as self._group:
                if self.ended:  # by a stream that could not speak
                    self._cut()
                self._group.start_soon(self._read)
                self._group.start_soon(self._keep_alive)
                await self._write()
                self._group.cancel_scope.cancel()
        finally:
            self._set_over()
            await anyio.aclose_forcefully(self._pipe)
        if self._cause is not None:
            raise self._cause

    async def open_stream(self) -> YamuxStream:
        """Open a stream; waits for a while if too many are not acknowledged yet."""
        self.raise_if_ended()
        if self._session.ack_backlog_full:
            with anyio.move_on_after(self._settings.open_timeout_seconds):
                await self._until_acknowledged()
        return self._open_stream()

    def open_stream_now(self) -> YamuxStream | None:
        """Open a stream, unless too many are not acknowledged yet."""
        self.raise_if_ended()
        return None if self._session.ack_backlog_full else self._open_stream()

    async def accept_stream(self) -> YamuxStream:
        """The next stream that the other side opens; raises `LinkClosed` at the end."""
        while True:
            self.raise_if_ended()
            state = self._session.accept_stream()
            if state is not None:
                return self._adopt(state)
            await self._arrived.wait()

    async def aclose(self) -> None:
        """Send what was taken over, say goodbye, and end the link, within a bound."""
        if self._group is None:
            self._set_over()
            await anyio.aclose_forcefully(self._pipe)
            return
        if not self.ended:
            self._closing = True
            self._end(None)
        await self._over.wait()

    def wake_writer(self, turns: int = TURNS_TO_SPEAK) -> None:
        """There may be something to send, to which others may add for so many turns."""
        self._writer.wake(turns)

    def flush_now(self) -> bool:
        """Send what waits, for a stream that has spoken and waits for an answer; whether all went.

        The writer would be a turn later. Where many streams were woken at once it speaks for all.
        """
        if self.ended or self._crowded:
            return False
        try:
            return self._writer.write_now()
        except RecordError as error:
            self._cannot_seal(error)
            return True

    def raise_if_ended(self) -> None:
        """Raise `LinkClosed` if the link has ended, or is about to."""
        if self.ended:
            cause = self._cause
            raise LinkClosed(f"the connection has ended: {cause or 'closed'}") from cause

    # --- reading ---------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            await self.reader.run(self._early)
        except anyio.EndOfStream:
            self._end(cause_of_eof(self._records, inside_frame=self._session.inside_frame))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._end(cause_of_break(error))
        except RecordError as error:
            self._end(error)
        except MuxerViolation as error:
            self._end(error)
            await self._drain()
        else:
            self._end(cause_of_go_away(self._session.remote_reason))
        finally:
            self._read_ended.set()

    def _dispatch(self) -> None:
        if woken := self._streams.wake_touched():
            self._crowded = woken > FEW_STREAMS
        session = self._session
        if session.has_output or self._closing:
            self._writer.wake()
        if session.has_arrivals:
            self._arrived.set()
        if self._openers and not session.ack_backlog_full:
            self._acknowledged.set()
        self._entry.tell(session.unread.size)

    async def _drain(self) -> None:
        """Take what still comes, lest closing the socket destroys the farewell on its way."""
        try:
            while True:
                await self._pipe.receive(MOST_READ_BYTES)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    # --- writing ---------------------------------------------------------------------------

    async def _write(self) -> None:
        try:
            while not self.ended:
                await self._writer.step()
            await self._say_goodbye()
        except RecordError as error:
            self._cannot_seal(error)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            await self._let_reader_finish()
            if not self.ended:
                self._end(cause_of_break(error))

    def _cannot_seal(self, error: RecordError) -> None:
        """The nonces are used up, or the reader broke the records."""
        if not self.ended:
            self._end(error)
        self._cut()

    async def _let_reader_finish(self) -> None:
        """What the other side said before it hung up tells more than that it did."""
        with anyio.move_on_after(self._settings.close_timeout_seconds):
            await self._read_ended.wait()

    async def _say_goodbye(self) -> None:
        await self._writer.write_rest()
        if self._closing:
            await self._flush()
            self._session.go_away()
        if self._closing or isinstance(self._cause, MuxerViolation):
            await self._writer.write()
        farewell = self._records.finish()
        if farewell:
            await self._pipe.send(farewell)
        with suppress(OSError):  # trio's sockets say so if the other side has hung up
            await self._pipe.send_eof()
        await self._read_ended.wait()

    async def _flush(self) -> None:
        self._session.refuse_streams()
        for state in self._session.streams:
            if not state.eof_due:
                self._session.reset(state)
        deadline = self.now() + self._settings.close_timeout_seconds / 2
        while not self._session.flushed and (left := deadline - self.now()) > 0:
            if not await self._writer.write():
                with anyio.move_on_after(left):
                    await self._writer.wait()

    # --- the end ---------------------------------------------------------------------------

    async def _keep_alive(self) -> None:
        settings = self._settings
        while True:
            pinged_at = self.now()
            self._session.ping()
            self.wake_writer()
            await anyio.sleep(settings.ping_timeout_seconds)
            if self._session.heard_at < pinged_at:
                silence = self.now() - self._session.heard_at
                self._end(LinkClosed(f"the other side has been silent for {silence:.0f} s"))
                self._cut()
            await until_ping_due(self._session, settings, self.now, self.wake_writer)

    def _end(self, cause: PeerloomError | None) -> None:
        """Let the writer say goodbye; the first cause counts, a second one leaves no more time."""
        if self.ended:
            self._cut()
            return
        self.ended = True
        self._cause = cause
        if self._group is not None:
            self._group.start_soon(self._cut_later)
        self._writer.wake()
        self._wake_all()

    async def _cut_later(self) -> None:
        await anyio.sleep(self._settings.close_timeout_seconds)
        self._cut()

    def _cut(self) -> None:
        if self._group is not None:  # else `run` finds that it has ended
            self._group.cancel_scope.cancel()

    def _set_over(self) -> None:
        self.ended = True
        self._over.set()
        self._wake_all()
        self._streams.clear()
        self.reader.let_go()

    def _wake_all(self) -> None:
        self._arrived.set()
        self._acknowledged.set()
        self._streams.wake_all()

    def _open_stream(self) -> YamuxStream:
        stream = self._adopt(self._session.open_stream(self.now()))
        self.wake_writer()
        return stream

    def _adopt(self, state: StreamState) -> YamuxStream:
        stream = YamuxStream(self, self._session, state)
        self._streams.add(stream, state)
        return stream

    async def _until_acknowledged(self) -> None:
        self._openers += 1
        try:
            while self._session.ack_backlog_full:
                await self._acknowledged.wait()
                self.raise_if_ended()
        finally:
            self._openers -= 1
