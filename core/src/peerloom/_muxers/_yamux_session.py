"""YamuxSession: the yamux protocol without I/O and without a clock.

Specification: hashicorp/yamux `spec.md` and libp2p/specs `yamux`. Feed it what arrives with
`receive_data`, send what `data_to_send` gives, and look at `take_touched` for the streams on
which something has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._errors import LinkClosed, MuxerViolation, StreamReset

from . import _yamux_frames as frames
from ._yamux_frames import ACK, DATA, FIN, RST, SYN, WINDOW_UPDATE, FrameDecoder, Header
from ._yamux_outbox import Outbox
from ._yamux_pace import WritePace
from ._yamux_pings import Pings
from ._yamux_settings import CROWDED_SEND_BUFFER_BYTES
from ._yamux_state import Reset, StreamState
from ._yamux_table import StreamTable
from ._yamux_unread import Unread

if TYPE_CHECKING:
    from peerloom._links import Buffer

    from ._yamux_settings import YamuxSettings
    from ._yamux_window import WindowBudget

# Frames handled before the loop gets a turn: 512 KiB may hold 43,000 empty ones, 0.1 s of work.
FRAMES_A_TURN: Final = 1024
# Refusals that wait to be sent. An honest peer has at most 256 streams unanswered.
MAX_WAITING_REFUSALS: Final = 1024


class YamuxSession:
    """One side of a yamux link.

    After a `MuxerViolation`, send what `data_to_send` gives (it says why) and end the link.

    Attributes:
        heard_at: when something arrived last.
        received_bytes: how much has arrived, frames' heads included.
        remote_reason: the reason that the other side gave for ending the link, or None.
        unread: what has arrived and nobody has read.
    """

    def __init__(
        self, *, dialer: bool, settings: YamuxSettings, now: float, budget: WindowBudget
    ) -> None:
        self.heard_at = now
        self.received_bytes = 0
        self.remote_reason: int | None = None
        self.unread = Unread()
        self._settings = settings
        self._table = StreamTable(dialer=dialer, settings=settings)
        self._outbox = Outbox()
        self._pace = WritePace()
        self._pings = Pings()
        self._budget = budget
        self._decoder = FrameDecoder()
        self._body_of: StreamState | None = None
        self._eof_after_body = False
        self._refusals = 0
        self._frames_left = FRAMES_A_TURN
        self._senders = 0
        self._going_away = False
        self._now = now
        self._touched: list[StreamState] = []

    # --- what the application does -------------------------------------------------------

    @property
    def ack_backlog_full(self) -> bool:
        """Whether opening one more stream has to wait for the other side."""
        return self._table.unacknowledged >= self._settings.ack_backlog

    @property
    def has_arrivals(self) -> bool:
        """Whether `accept_stream` would give a stream."""
        return bool(self._table.backlog)

    @property
    def streams(self) -> list[StreamState]:
        """The streams that are not over."""
        return list(self._table.streams.values())

    @property
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip, or None."""
        return self._pings.round_trip_seconds

    def open_stream(self, now: float) -> StreamState:
        """Open a stream; raises `StreamLimitReached` past a bound, `LinkClosed` at the end."""
        if self._going_away or self.remote_reason is not None:
            raise LinkClosed("the link is about to end")
        stream = self._table.open(now)
        self._outbox.put_urgent(stream)
        return stream

    def accept_stream(self) -> StreamState | None:
        """The next stream that the other side opened, or None."""
        return self._table.next_arrival()

    def has_room(self, stream: StreamState, size: int) -> bool:
        """Whether `write` would take over so many bytes, all of them."""
        return self._send_room(stream) >= size

    def write(self, stream: StreamState, data: Buffer) -> int:
        """Take over as much of the data as the buffer has room for; how much that was.

        Raises `StreamReset` if nothing can be sent any more. Keeps the object: it must not
        change afterwards.
        """
        if stream.reset is not None:
            self._table.release(stream)
            raise StreamReset(stream.reset.value)
        if (room := self._send_room(stream)) <= 0 or not data:
            stream.wants_room = bool(data)
            return 0
        stream.wants_room = len(data) > room
        if stream.wants_room:
            data = memoryview(data)[:room]
        if not stream.outgoing.size:
            self._senders += 1
        stream.outgoing.append(data)
        self._outbox.put_ready(stream)
        return len(data)

    def write_eof(self, stream: StreamState) -> None:
        """End this half of the stream behind what was written."""
        if stream.reset is None:
            stream.eof_due = True
            self._outbox.put_ready(stream)
            if stream.eof_received and not stream.received.size:
                self._table.release(stream)

    def read(self, stream: StreamState, max_bytes: int) -> bytes:
        """Up to `max_bytes` of what has arrived, empty if there is nothing to read."""
        data = stream.received.read(max_bytes)
        if data:
            self.unread.size -= len(data)
            if stream.window.read(len(data)) and stream.needs_grant and not stream.forgotten:
                self._outbox.put_urgent(stream)
        elif stream.reset is not None or (stream.eof_received and stream.eof_due):
            self._table.release(stream)
        return data

    def close(self, stream: StreamState, now: float) -> None:
        """The application is done with both halves; see `MuxedStream` for when this resets."""
        if stream.received.size and not stream.eof_received:
            self.reset(stream)
        self.unread.drop(stream)
        self.write_eof(stream)
        if stream.closed_at is None:
            stream.closed_at = now
        self._table.release(stream)

    def reset(self, stream: StreamState) -> None:
        """End both halves at once, dropping what waits in either."""
        self.unread.drop(stream)
        self._table.release(stream)
        if stream.reset is None and not stream.forgotten:
            self._drop_output(stream)
            stream.reset = Reset.HERE
            stream.reset_due = True
            self._outbox.put_urgent(stream)
            self._touched.append(stream)

    # --- what the link does ----------------------------------------------------------------

    def ping(self) -> None:
        """Measure the round trip, unless a measurement is under way."""
        self._pings.start()

    def expire(self, now: float) -> None:
        """Reset the streams that the application closed long ago and the other side did not."""
        for stream in self._table.lingering(now):
            self.reset(stream)

    def refuse_streams(self) -> None:
        """From now on no stream is opened, here or by the other side."""
        self._going_away = True

    def go_away(self, reason: int = frames.GO_AWAY_NORMAL) -> None:
        """Tell the other side that the link ends, behind what was framed before."""
        self._going_away = True
        self._outbox.control.append(frames.encode_header(frames.GO_AWAY, 0, 0, reason))

    @property
    def has_output(self) -> bool:
        """Whether `data_to_send` would give something."""
        return self._pings.due or self._outbox.has_output

    @property
    def flushed(self) -> bool:
        """Whether nothing waits that was written, and no end of a stream."""
        return self._table.flushed

    @property
    def inside_frame(self) -> bool:
        """Whether what has arrived ends inside a frame."""
        return self._decoder.inside_frame

    def take_touched(self) -> list[StreamState]:
        """The streams on which something has happened since the last call."""
        touched, self._touched = self._touched, []
        return touched

    def data_to_send(self, now: float) -> list[Buffer]:
        """The buffers of the next write, a bounded amount; empty if there is nothing to say."""
        self._now = now
        self._pings.frame_into(self._outbox.control, now)
        out, moved, settled = self._outbox.pull(self._credit, self._pace.room)
        self._refusals = 0
        for stream in moved:
            self._senders -= not stream.outgoing.size
            if stream.wants_room:
                self._touched.append(stream)
        for stream in settled:
            self._forget_if_over(stream)
        return out

    def written(self, size: int, seconds: float) -> None:
        """What `data_to_send` gave has been sent: how much it was, and how long it took."""
        self._pace.written(size, seconds)

    def receive_data(self, data: bytes, now: float) -> bool:
        """Handle what arrived; whether `receive_more` has to be called before the next data.

        Raises `MuxerViolation`.
        """
        self.heard_at = now
        self.received_bytes += len(data)
        if self._decoder.take_whole(data):
            self._on_payload(data)
            return False
        self._decoder.feed(data)
        return self._take_frames(now)

    def receive_more(self, now: float) -> bool:
        """Begin another turn, once others have had theirs; whether there is still more."""
        self._frames_left = FRAMES_A_TURN
        return self._take_frames(now)

    def _take_frames(self, now: float) -> bool:
        self._now = now
        decoder, left = self._decoder, self._frames_left
        try:
            while left:
                left -= 1
                if decoder.body_left:
                    piece = decoder.take_payload()
                    if not piece:
                        return False
                    self._on_payload(piece)
                else:
                    header = decoder.take_header()
                    if header is None:
                        return False
                    self._on_header(header)
        except MuxerViolation:
            self._outbox.clear()
            self._pings.clear()
            self.go_away(frames.GO_AWAY_PROTOCOL_ERROR)
            raise
        finally:
            self._frames_left = left
        return decoder.has_more

    # --- frames ----------------------------------------------------------------------------

    def _on_header(self, header: Header) -> None:
        kind, flags, stream_id, length = header
        if kind > WINDOW_UPDATE:
            self._on_session_frame(kind, flags, stream_id, length)
            return
        if not stream_id:
            raise MuxerViolation("a stream's frame on stream 0")
        if flags & SYN:
            stream = self._on_syn(flags, stream_id)
        else:
            stream = self._table.streams.get(stream_id)
        if stream is None:
            self._on_stray(header)
            return
        if flags & ACK:
            self._table.acknowledge(stream)
        if kind == DATA:
            self._on_data(stream, length)
        elif not flags & RST:
            self._on_credit(stream, length)
        if flags & RST:
            self._on_rst(stream)
        elif flags & FIN:
            self._on_fin(stream)

    def _on_session_frame(self, kind: int, flags: int, stream_id: int, value: int) -> None:
        if stream_id:
            raise MuxerViolation(f"a session's frame on stream {stream_id}")
        if kind == frames.GO_AWAY:
            self.remote_reason = value
        else:
            self._pings.on_frame(flags, value, self._now)

    def _on_syn(self, flags: int, stream_id: int) -> StreamState | None:
        self._table.use_foreign_id(stream_id)
        unwanted = flags & RST or self._going_away
        stream = None if unwanted else self._table.admit(stream_id, self._now)
        if stream is None:
            self._table.remember(stream_id)
            if not flags & RST:
                self._refuse(stream_id)
        return stream

    def _refuse(self, stream_id: int) -> None:
        if self._refusals >= MAX_WAITING_REFUSALS:
            raise MuxerViolation("streams are opened faster than they can be refused")
        self._refusals += 1
        self._outbox.control.append(frames.encode_header(WINDOW_UPDATE, RST, stream_id, 0))

    def _on_stray(self, header: Header) -> None:
        kind, flags, stream_id, length = header
        # rust-yamux ends streams that it never announced.
        payload = length if kind == DATA else 0
        if payload or not flags & (FIN | RST):
            self._table.receive_stray(stream_id, payload)

    def _on_data(self, stream: StreamState, length: int) -> None:
        if not length:
            return
        if stream.eof_received:
            raise MuxerViolation(f"{length} bytes behind the end of stream {stream.id}")
        stream.window.receive(length)
        self._body_of = stream
        if stream.closed_at is not None and stream.eof_sent:
            self.reset(stream)

    def _on_payload(self, piece: bytes | memoryview) -> None:
        stream = self._body_of
        if stream is None:
            return
        if stream.reset is None and stream.closed_at is None:
            if not stream.received.size:
                self._touched.append(stream)
            stream.received.append(piece)
            self.unread.size += len(piece)
        if not self._decoder.body_left:
            self._body_of = None
            if self._eof_after_body:
                self._eof_after_body = False
                self._on_eof(stream)

    def _on_credit(self, stream: StreamState, length: int) -> None:
        if stream.send_window + length > frames.MAX_WINDOW:
            raise MuxerViolation(f"credit for stream {stream.id} past {frames.MAX_WINDOW} bytes")
        stream.send_window += length
        self._outbox.put_ready(stream)

    def _on_fin(self, stream: StreamState) -> None:
        if self._decoder.body_left:
            self._eof_after_body = True
        else:
            self._on_eof(stream)

    def _on_eof(self, stream: StreamState) -> None:
        stream.eof_received = True
        self._touched.append(stream)
        self._forget_if_over(stream)

    def _on_rst(self, stream: StreamState) -> None:
        self._body_of = None
        if stream.reset is None:
            self._drop_output(stream)
            stream.reset = Reset.THERE
        stream.reset_due = False
        self._touched.append(stream)
        self._forget_if_over(stream)

    def _credit(self, stream: StreamState) -> int:
        now, settings = self._now, self._settings
        return stream.credit(now, self._pings.estimate(now), settings, self._budget)

    def _send_room(self, stream: StreamState) -> int:
        senders, whole = self._senders, self._settings.send_buffer_bytes
        if senders <= 1:
            return whole - stream.outgoing.size
        shared = min(whole, self._pace.room, CROWDED_SEND_BUFFER_BYTES // senders)
        return max(whole // senders, shared) - stream.outgoing.size

    def _drop_output(self, stream: StreamState) -> None:
        if stream.outgoing.size:
            self._senders -= 1
            stream.outgoing.clear()

    def _forget_if_over(self, stream: StreamState) -> None:
        if stream.over and not stream.forgotten:
            self._table.forget(stream, self._budget)
            self.unread.keep(stream)
            self._touched.append(stream)
