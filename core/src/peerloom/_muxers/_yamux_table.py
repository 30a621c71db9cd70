"""StreamTable: the streams of a session, the bounds on their number, and who went before."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from peerloom._errors import MuxerViolation, StreamLimitReached

from ._yamux_frames import INITIAL_WINDOW_BYTES
from ._yamux_ids import ForeignIds, OwnIds
from ._yamux_state import StreamState

if TYPE_CHECKING:
    from ._yamux_settings import YamuxSettings
    from ._yamux_window import WindowBudget

# How many ended streams are remembered by what the other side could still have sent on them.
# Its frames for older ones are discarded uncounted, but are no longer than this.
MAX_REMEMBERED: Final = 512
MAX_STRAY_BYTES: Final = 16 * 1024 * 1024


class StreamTable:
    """Streams by id; an inbound slot is held until both ends of it are done.

    Both: a peer that opens and resets streams faster than this side's handlers end would
    otherwise pile up handlers (the HTTP/2 rapid reset attack).

    Attributes:
        streams: the live ones.
        backlog: inbound ones that wait to be accepted.
        unacknowledged: outbound ones that the other side has not answered yet.
    """

    def __init__(self, *, dialer: bool, settings: YamuxSettings) -> None:
        self.streams: dict[int, StreamState] = {}
        self.backlog: deque[StreamState] = deque()
        self.unacknowledged = 0
        self._settings = settings
        self._own = OwnIds(dialer=dialer)
        self._foreign = ForeignIds(dialer=dialer)
        self._inbound = 0
        self._outbound = 0
        self._ended: dict[int, int] = {}

    def open(self, now: float) -> StreamState:
        """A new outbound stream; raises `StreamLimitReached` past a bound."""
        settings = self._settings
        if self._outbound >= settings.max_outbound_streams:
            raise StreamLimitReached(
                f"{self._outbound} streams are open on this link (max_outbound_streams)"
            )
        if self.unacknowledged >= settings.ack_backlog:
            raise StreamLimitReached(
                f"{self.unacknowledged} streams wait for the other side (ack_backlog)"
            )
        stream = StreamState(self._own.next(), inbound=False, now=now)
        self.streams[stream.id] = stream
        self._outbound += 1
        self.unacknowledged += 1
        return stream

    def use_foreign_id(self, stream_id: int) -> None:
        """The other side opens a stream: raises `MuxerViolation` if it may not, by its number."""
        if not self._foreign.use(stream_id):
            raise MuxerViolation(f"stream {stream_id} opened twice or by the wrong side")

    def admit(self, stream_id: int, now: float) -> StreamState | None:
        """The state of a new inbound stream, or None if it has to be refused."""
        settings = self._settings
        if (
            self._inbound >= settings.max_inbound_streams
            or len(self.backlog) >= settings.accept_backlog
        ):
            return None
        stream = StreamState(stream_id, inbound=True, now=now)
        self.streams[stream_id] = stream
        self.backlog.append(stream)
        self._inbound += 1
        return stream

    @property
    def flushed(self) -> bool:
        """Whether nothing waits that was written, and no end of a stream."""
        return not any(
            stream.outgoing.size or (stream.eof_due and not stream.eof_sent)
            for stream in self.streams.values()
        )

    def next_arrival(self) -> StreamState | None:
        """The next stream that the other side opened, or None."""
        return self.backlog.popleft() if self.backlog else None

    def lingering(self, now: float) -> list[StreamState]:
        """The streams that the application closed long ago and the other side did not."""
        until = now - self._settings.linger_seconds
        closed = self.streams.values()
        return [one for one in closed if one.closed_at is not None and one.closed_at <= until]

    def acknowledge(self, stream: StreamState) -> None:
        """The other side has answered the stream."""
        if not stream.acknowledged:
            stream.acknowledged = True
            self.unacknowledged -= 1

    def release(self, stream: StreamState) -> None:
        """The application is done with the stream, or knows that it has ended."""
        if not stream.released:
            stream.released = True
            if stream.inbound and stream.forgotten:
                self._inbound -= 1

    def forget(self, stream: StreamState, budget: WindowBudget) -> None:
        """Let go of a stream that is over."""
        if stream.forgotten:
            return
        stream.forgotten = True
        del self.streams[stream.id]
        self.remember(stream.id, 0 if stream.eof_received else stream.window.available)
        self.acknowledge(stream)
        stream.window.release(budget)
        stream.outgoing.clear()
        if not stream.inbound:
            self._outbound -= 1
        elif stream.released:
            self._inbound -= 1
        elif stream in self.backlog:
            self.backlog.remove(stream)
            self.release(stream)

    def remember(self, stream_id: int, may_send: int = INITIAL_WINDOW_BYTES) -> None:
        """Keep in mind what may still arrive on a stream that is not in the table."""
        self._ended[stream_id] = may_send
        if len(self._ended) > MAX_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def receive_stray(self, stream_id: int, length: int) -> None:
        """Account for a frame, with so much data, of a stream that is not in the table.

        Frames cross on the way, so those for streams that have ended mean nothing; raises
        `MuxerViolation` for more than such a stream could have sent, or if it never existed.
        """
        allowed = self._ended.get(stream_id)
        if allowed is None:
            ids = self._own if self._own.owns(stream_id) else self._foreign
            if not ids.used(stream_id):
                raise MuxerViolation(f"a frame for stream {stream_id}, which was never opened")
            allowed = MAX_STRAY_BYTES
        else:
            self._ended[stream_id] = max(0, allowed - length)
        if length > allowed:
            raise MuxerViolation(f"{length} bytes for stream {stream_id}, which has ended")
