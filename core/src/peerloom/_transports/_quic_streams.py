"""QuicStreams: all streams of one QUIC connection, and the memory that they may cost."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, Protocol

from peerloom._errors import StreamReset
from peerloom._links import Role
from peerloom._wakeup import wakeup_kind

from ._quic_backlog import Backlog, Step
from ._quic_inbound import InboundIds
from ._quic_stream import BY_PEER, UNREAD, QuicStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._quic_ending import Fate
    from ._quic_engine import QuicEngine, StreamData, StreamStopped
    from ._quic_settings import QuicSettings

# Senders without room that are looked at after each sending: what they have waiting is sent soon,
# and then the others are looked at.
_FULL_SENDERS: Final = 16
_CHECK_SECONDS: Final = 0.25  # between two looks at a connection that is held

SHED: Final = "reset here: too much is unread on all connections together (limits.unread_bytes)"

logger = logging.getLogger("peerloom.quic")


class Connection(Protocol):
    """What the streams ask of their connection, as long as it is not over.

    Attributes:
        fate: whether it goes on.
    """

    fate: Fate

    def now(self) -> float:
        """The time."""
        ...

    def transmit(self) -> None:
        """Send what the engine has to send."""
        ...

    def advance(self, now: float) -> None:
        """Take out of the engine what happened."""
        ...

    def guard(self, work: Callable[[], None]) -> None:
        """Do something with the engine, whose failure ends the connection."""
        ...

    def arrived(self) -> None:
        """The other side has opened a stream."""
        ...


class QuicStreams:
    """The streams of a connection, by id; see `Backlog` for what holds senders.

    Attributes:
        backlog: what has arrived and is not read.
        accepted: opened by the other side and not yet taken by the swarm.
        check_at: when a held connection is to be looked at again.
        fate: whether the connection goes on.
        wakeup: makes what its streams wait by.
    """

    def __init__(
        self, connection: Connection, engine: QuicEngine, role: Role, settings: QuicSettings
    ) -> None:
        self.backlog = Backlog(settings)
        self.accepted: OrderedDict[int, QuicStream] = OrderedDict()
        self.check_at = 0.0
        self.wakeup = wakeup_kind()
        self.fate = connection.fate
        self._connection = connection
        self._engine = engine
        self._settings = settings
        self._streams: dict[int, QuicStream] = {}
        self._inbound = InboundIds(Role.LISTENER if role is Role.DIALER else Role.DIALER)
        self._lingering: deque[tuple[float, QuicStream]] = deque()
        self._senders: dict[int, QuicStream] = {}
        self._consumed = 0

    def __len__(self) -> int:
        return len(self._streams)

    # -- what a stream does

    def room(self, stream: QuicStream) -> int:
        """How many bytes of a stream may be taken over now."""
        return self._send_bound() - self._engine.unsent(stream.id)

    def wants_room(self, stream: QuicStream) -> None:
        """Wake the stream's sender when there is room."""
        self._senders[stream.id] = stream

    def send(self, stream: QuicStream, data: memoryview) -> None:
        """Take bytes over; there is room for them."""
        self._connection.guard(lambda: self._send(stream, data, end=False))

    def send_end(self, stream: QuicStream) -> None:
        """End this side's half."""
        stream.end_sent = True
        self._connection.guard(lambda: self._send(stream, b"", end=True))
        self._forget_if_over(stream)

    def close(self, stream: QuicStream) -> None:
        """The application is done with both halves; see `MuxedStream` for when this resets."""
        if stream.broken is not None:
            return
        if stream.received.size and not stream.ended:
            self.reset(stream, "closed before it was read")
            return
        self._drop_received(stream)
        if not (stream.end_sent or stream.stopped or self.fate.over):
            self.send_end(stream)
        if not (stream.over or self.fate.over):
            until = self._connection.now() + self._settings.linger_seconds
            self._lingering.append((until, stream))
        self._forget_if_over(stream)

    def reset(self, stream: QuicStream, by: str) -> None:
        """End both halves at once."""
        if stream.broken is None:
            stream.broken = by
            self._drop_received(stream)
            if not self.fate.over:
                self._connection.guard(lambda: self._stop(stream))
            self._forget_if_over(stream)
            stream.wake()

    def consumed(self, stream: QuicStream, nbytes: int) -> None:
        """So many bytes of a stream have been read."""
        backlog = self.backlog
        backlog.unread -= nbytes
        self._forget_if_over(stream)
        if self.fate.over:
            return
        if self._engine.holds_streams:
            self._engine.consumed(stream.id, nbytes)
            self._consumed += nbytes
            if self._consumed >= self._settings.stream_window_bytes // 4:
                self._consumed = 0
                self._connection.transmit()
        elif backlog.held and backlog.unread <= self._settings.pause_bytes // 2:
            self._connection.advance(self._connection.now())
            self._connection.transmit()

    # -- what the connection does

    def add(self, stream_id: int) -> QuicStream:
        """A new stream."""
        stream = QuicStream(self, stream_id, self._connection.now())
        self._streams[stream_id] = stream
        return stream

    def take_data(self, event: StreamData, now: float) -> None:
        """Bytes have come, or a stream's end."""
        stream = self._find(event.stream_id)
        if stream is None or stream.closed or stream.broken is not None:
            self._engine.consumed(event.stream_id, len(event.data))
            if stream is not None and stream.broken is None:
                self._drop_late(stream, len(event.data))
        elif event.data:
            stream.heard_at = now
            stream.received.append(event.data)
            self.backlog.unread += len(event.data)
        if stream is not None:
            stream.ended = stream.ended or event.end
            self._forget_if_over(stream)
            stream.wake()

    def take_stop(self, event: StreamStopped) -> None:
        """The other side has cut a half of a stream off."""
        stream = self._find(event.stream_id)
        if stream is None:
            return
        if event.ours:
            stream.stopped = True
            self._forget_if_over(stream)
            stream.wake()
        else:
            self.reset(stream, BY_PEER)

    def balance(self, now: float) -> bool:
        """Hold senders or let them go on; gives whether more may be taken from the engine."""
        backlog = self.backlog
        if self._engine.holds_streams or not (backlog.unread or backlog.held):
            return False
        step = backlog.decide(now, reader_starves=backlog.held and self._starves(now))
        if step is Step.HOLD:
            self.check_at = now + _CHECK_SECONDS
            self._engine.hold(on=True)
        elif step is Step.RELEASE:
            self._engine.hold(on=False)
        elif step is Step.ADMIT:
            self._engine.let_pass()
        elif step is Step.SHED:
            self._shed()
        return step in {Step.RELEASE, Step.ADMIT}

    def looked(self, now: float) -> None:
        """A held connection is being looked at."""
        self.check_at = now + _CHECK_SECONDS

    def wake_senders(self) -> None:
        """Something has been sent: there may be room."""
        if not self._senders:
            return
        bound, full = self._send_bound(), 0
        for stream_id in list(self._senders):
            stream = self._senders.pop(stream_id)
            if stream.over or self._engine.unsent(stream_id) < bound:
                stream.wake_sender()
                continue
            self._senders[stream_id] = stream  # behind the others
            full += 1
            if full == _FULL_SENDERS:
                return

    def expire(self, now: float) -> None:
        """Stop what was closed here long ago and not ended by the other side."""
        while self._lingering and self._lingering[0][0] <= now:
            _, stream = self._lingering.popleft()
            if not stream.over:
                self._engine.stop(stream.id)

    def shed(self, nbytes: int) -> int:
        """Reset streams, those first that hold most unread, until so much is free; how many."""
        count = 0
        for stream in sorted(self._streams.values(), key=_held, reverse=True):
            if nbytes <= 0 or not stream.received.size:
                break
            nbytes -= stream.received.size
            count += 1
            self.reset(stream, SHED)
        return count

    def reset_unended(self) -> None:
        """The connection is about to end: what this side has not ended is cut off."""
        for stream in list(self._streams.values()):
            if not stream.end_sent:
                self.reset(stream, "cut off by the end of the connection")
            stream.wake()

    def wake_all(self) -> None:
        """The connection has ended."""
        for stream in list(self._streams.values()):
            stream.wake()

    def let_go(self) -> None:
        """The connection is over, and is kept from here no longer, nor in circles."""
        self._lingering.clear()
        del self._connection

    # -- inside

    def _send_bound(self) -> int:
        settings = self._settings
        few = settings.max_send_buffer_bytes // settings.send_buffer_bytes
        if len(self._streams) > few and self._engine.unsent() > settings.max_send_buffer_bytes:
            return settings.crowded_send_buffer_bytes
        return settings.send_buffer_bytes

    def _find(self, stream_id: int) -> QuicStream | None:
        stream = self._streams.get(stream_id)
        if stream is None and self._inbound.is_new(stream_id):
            stream = self.add(stream_id)
            if self.fate.closing or self.fate.over:
                self.reset(stream, "refused")
            else:
                self.accepted[stream_id] = stream
                self._connection.arrived()
        return stream

    def _drop_late(self, stream: QuicStream, nbytes: int) -> None:
        before, stream.dropped = stream.dropped, stream.dropped + nbytes
        if before <= self._settings.linger_bytes < stream.dropped:
            self._engine.stop(stream.id)

    def _drop_received(self, stream: QuicStream) -> None:
        size = stream.received.size
        stream.received.clear()
        if size:
            self.consumed(stream, size)

    def _forget_if_over(self, stream: QuicStream) -> None:
        if stream.over and not stream.received.size:
            self._streams.pop(stream.id, None)
            # The other side may open another one for it: of these, any number could wait.
            self.accepted.pop(stream.id, None)

    def _send(self, stream: QuicStream, data: memoryview | bytes, *, end: bool) -> None:
        if self._engine.send(stream.id, data, end=end):
            self._connection.transmit()
        elif not end:
            stream.stopped = True
            raise StreamReset(UNREAD)

    def _stop(self, stream: QuicStream) -> None:
        self._engine.reset(stream.id)
        if not stream.ended:
            self._engine.stop(stream.id)
        self._connection.transmit()

    def _starves(self, now: float) -> bool:
        recent = now - self._settings.stopped_seconds
        return any(each.starves and each.heard_at > recent for each in self._streams.values())

    def _shed(self) -> None:
        fullest = max(self._streams.values(), key=_held, default=None)
        if fullest is None:
            return
        logger.warning(
            "stream %d was reset: %d bytes that nobody read have stopped the other streams of its "
            "connection for %.0f s",
            fullest.id,
            fullest.received.size,
            self._settings.stopped_seconds,
        )
        self.reset(fullest, "not read for too long, which stopped the other streams")


def _held(stream: QuicStream) -> int:
    return stream.received.size
