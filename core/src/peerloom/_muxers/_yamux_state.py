"""StreamState: what a session knows of one stream."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from ._byte_queue import ByteQueue
from ._yamux_frames import ACK, INITIAL_WINDOW_BYTES, SYN
from ._yamux_window import ReceiveWindow

if TYPE_CHECKING:
    from ._yamux_settings import YamuxSettings
    from ._yamux_window import WindowBudget


class Reset(Enum):
    """Who reset a stream."""

    HERE = "reset here"
    THERE = "reset by the other side"


class StreamState:
    """Both halves of a stream, as plain state; `YamuxSession` and its outbox change it.

    Attributes:
        id: its number; `inbound` tells who opened it.
        received: arrived and not yet read; `outgoing`: taken over and not yet framed.
        window: what the other side may still send; `send_window`: what this side may.
        acknowledged: the other side has answered a stream opened here.
        eof_received: the other side's clean end has come, behind all of its data.
        eof_due, eof_sent: this side's end is wanted; is framed.
        reset: who reset it, or None; `reset_due`: a RST is still to be framed.
        closed_at: when the application was done with it, or None.
        released: the application is done with it, or knows that it has ended.
        forgotten: the session has let it go; what was received can still be read.
        wants_room: not all could be taken over that was to be sent.
    """

    __slots__ = (
        "_announced",
        "acknowledged",
        "closed_at",
        "eof_due",
        "eof_received",
        "eof_sent",
        "forgotten",
        "id",
        "in_ready",
        "in_urgent",
        "inbound",
        "outgoing",
        "received",
        "released",
        "reset",
        "reset_due",
        "send_window",
        "wants_room",
        "window",
    )

    def __init__(self, stream_id: int, *, inbound: bool, now: float) -> None:
        self.id = stream_id
        self.inbound = inbound
        self.received = ByteQueue()
        self.outgoing = ByteQueue()
        self.window = ReceiveWindow(now)
        self.send_window = INITIAL_WINDOW_BYTES
        self.acknowledged = inbound
        self.eof_received = False
        self.eof_due = False
        self.eof_sent = False
        self.reset: Reset | None = None
        self.reset_due = False
        self.closed_at: float | None = None
        self.released = False
        self.forgotten = False
        self.wants_room = False
        self.in_urgent = False
        self.in_ready = False
        self._announced = False

    @property
    def announced(self) -> bool:
        """Whether a frame with SYN or ACK is out."""
        return self._announced

    @property
    def over(self) -> bool:
        """Whether no frame of this stream is to be sent or expected any more."""
        if self.reset is not None:
            return not self.reset_due
        return self.eof_sent and self.eof_received

    @property
    def readable(self) -> bool:
        """Whether a reader has something to learn: data, the end, or a reset."""
        return bool(self.received.size or self.eof_received or self.reset)

    @property
    def has_output(self) -> bool:
        """Whether data or the end can be framed now."""
        if self.reset is not None:
            return False
        if self.outgoing.size:
            return self.send_window > 0
        return self.eof_due and not self.eof_sent

    @property
    def needs_grant(self) -> bool:
        """Whether the other side shall get more credit."""
        return not self.eof_received and self.closed_at is None and self.window.grant_due

    def opening_flag(self) -> int:
        """SYN or ACK for the stream's first frame, nothing after it."""
        if self._announced:
            return 0
        self._announced = True
        return ACK if self.inbound else SYN

    def credit(
        self, now: float, round_trip: float, settings: YamuxSettings, budget: WindowBudget
    ) -> int:
        """The credit to send now, 0 for none."""
        if not self.needs_grant:
            return 0
        return self.window.grant(now, round_trip, settings.max_stream_window_bytes, budget)
