"""YamuxLink: a yamux session over a secured pipe."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom._errors import LinkClosed, MuxerViolation, PeerloomError, RecordError
from peerloom._links import MOST_READ_BYTES, EagerPipe, MuxedLink
from peerloom._wakeup import wakeup_kind

from ._yamux_endings import cause_of_break, cause_of_eof, cause_of_go_away
from ._yamux_idle import until_ping_due
from ._yamux_reader import LinkReader
from ._yamux_stream import YamuxStream
from ._yamux_unread import shed

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerloom._links import Buffer, RawLink, Secured
    from peerloom._runtime import Runtime
    from peerloom._unread import UnreadLedger

    from ._yamux_session import YamuxSession
    from ._yamux_settings import YamuxSettings
    from ._yamux_state import StreamState

PROTOCOL_ID: Final = "/yamux/1.0.0"
# That many may speak for themselves when they were woken at once: one that begins often comes
# along with the end of another.
FEW_STREAMS: Final = 2
# How long the writer waits for more: between a stream that comes in and what its handler says
# stand the turns of who accepts it, of the event loop and of the handler.
TURNS_TO_SPEAK: Final = 3


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
        self._eager = raw.stream if isinstance(raw.stream, EagerPipe) else None
        self._unsent: Buffer = b""
        self._settings = settings
        self._session = session
        self.reader = LinkReader(raw.stream, secured.records, session, self.now, self._dispatch)
        self._entry = ledger.open(self)
        self._streams: dict[int, YamuxStream] = {}
        self._group: TaskGroup | None = None
        self.wakeup = wakeup_kind()
        self._work = self.wakeup()
        self._sending = False
        self._crowded = False
        self._soon = False
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
        self._wake_streams()
        self._work.set()
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

    def wake_writer(self, *, soon: bool = False) -> None:
        """There may be something to send; `soon`, if nobody is expected to add to it."""
        self._soon |= soon
        self._work.set()

    def flush_now(self) -> bool:
        """Send what waits, for a stream that has spoken and waits for an answer; whether all went.

        The writer would be a turn later. Where many streams were woken at once it speaks for all.
        """
        if self._eager is None or self._sending or self.ended or self._crowded:
            return False
        try:
            sealed = self._sealed_output(self.now())
        except RecordError as error:
            self._cannot_seal(error)
            return True
        if sealed and (sent := self._eager.send_now(sealed)) < len(sealed):
            self._sending = True
            self._unsent = memoryview(sealed)[sent:]
            self._work.set()
        return not self._session.has_output

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
        if woken := self._wake_streams():
            self._crowded = woken > FEW_STREAMS
        session = self._session
        if session.has_output:
            self._work.set()
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
                if self._session.has_output or self._unsent:
                    await self._write_once()
                else:
                    await self._work.wait()
                    await self._let_speak()
            await self._say_goodbye()
        except RecordError as error:
            self._cannot_seal(error)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            await self._let_reader_finish()
            if not self.ended:
                self._end(cause_of_break(error))

    async def _let_speak(self) -> None:
        """Whoever spoke may go on, or send it while waiting: one write costs as much as that."""
        turns = 0
        while turns < (1 if self._soon else TURNS_TO_SPEAK) and self._session.has_output:
            turns += 1
            await checkpoint()
        self._soon = False

    def _cannot_seal(self, error: RecordError) -> None:
        """The nonces are used up, or the reader broke the records."""
        if not self.ended:
            self._end(error)
        self._cut()

    async def _let_reader_finish(self) -> None:
        """What the other side said before it hung up tells more than that it did."""
        with anyio.move_on_after(self._settings.close_timeout_seconds):
            await self._read_ended.wait()

    async def _write_once(self) -> bool:
        await self._send_rest()
        if not self._session.has_output:
            return False
        began = self.now()
        sealed = self._sealed_output(began)
        if sealed:
            await self._send(sealed)
            self._session.written(len(sealed), self.now() - began)
        return bool(sealed)

    async def _send_rest(self) -> None:
        """What `flush_now` could not get rid of."""
        unsent, self._unsent = self._unsent, b""
        if unsent:
            await self._send(unsent)

    def _sealed_output(self, now: float) -> Buffer:
        """The next write."""
        pieces = self._session.data_to_send(now)
        self._wake_streams()
        return self._records.seal(pieces) if pieces else b""

    async def _send(self, data: Buffer) -> None:
        self._sending = True
        try:
            await self._pipe.send(data)  # type: ignore[arg-type]  # pipes take any buffer
        finally:
            self._sending = False

    async def _say_goodbye(self) -> None:
        await self._send_rest()
        if self._closing:
            await self._flush()
            self._session.go_away()
        if self._closing or isinstance(self._cause, MuxerViolation):
            await self._write_once()
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
            if not await self._write_once():
                with anyio.move_on_after(left):
                    await self._work.wait()

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
        self._work.set()
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
        for stream in self._streams.values():
            stream.wake()

    def _wake_streams(self) -> int:
        touched = self._session.take_touched()
        for state in touched:
            stream = self._streams.get(state.id)
            if stream is not None:
                stream.wake()
                if state.forgotten:
                    del self._streams[state.id]
        return len(touched)

    def _open_stream(self) -> YamuxStream:
        stream = self._adopt(self._session.open_stream(self.now()))
        self.wake_writer()
        return stream

    def _adopt(self, state: StreamState) -> YamuxStream:
        stream = YamuxStream(self, self._session, state)
        if not state.forgotten:
            self._streams[state.id] = stream
        return stream

    async def _until_acknowledged(self) -> None:
        self._openers += 1
        try:
            while self._session.ack_backlog_full:
                await self._acknowledged.wait()
                self.raise_if_ended()
        finally:
            self._openers -= 1
