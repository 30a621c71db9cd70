"""Pings: the round trip measured here, and the other side's measurements answered."""

from __future__ import annotations

from typing import Final

from peerloom._errors import MuxerViolation

from ._yamux_frames import ACK, MAX_WINDOW, PING, SYN, encode_header

# Answers that wait to be sent. Known peers have one ping under way at a time.
MAX_WAITING_ANSWERS: Final = 64


class Pings:
    """Both directions of a session's pings; one of our own is under way at a time.

    Attributes:
        round_trip_seconds: the newest measurement, or None.
        due: whether a frame is to be sent.
    """

    def __init__(self) -> None:
        self.round_trip_seconds: float | None = None
        self.due = False
        self._answers: list[int] = []
        self._number = 0
        self._wanted = False
        self._sent_at: float | None = None

    def start(self) -> None:
        """Ping with the next write, unless a ping is under way."""
        self._wanted = self._sent_at is None
        self.due = self.due or self._wanted

    def clear(self) -> None:
        """Drop the frames that are due."""
        self.due = self._wanted = False
        self._answers.clear()

    def on_frame(self, flags: int, value: int, now: float) -> None:
        """Take a ping, or an answer to one."""
        if flags & ACK:
            self.on_answer(value, now)
        else:
            self.on_ping(value)

    def on_ping(self, value: int) -> None:
        """Answer with the next write; raises `MuxerViolation` on a flood."""
        if len(self._answers) >= MAX_WAITING_ANSWERS:
            raise MuxerViolation("a flood of pings")
        self._answers.append(value)
        self.due = True

    def on_answer(self, value: int, now: float) -> None:
        """Take the measurement; answers to nothing are ignored."""
        if self._sent_at is not None and value == self._number:
            self.round_trip_seconds = now - self._sent_at
            self._sent_at = None

    def frame_into(self, control: list[bytes], now: float) -> None:
        """Add the frames that are due."""
        if not self.due:
            return
        control += [encode_header(PING, ACK, 0, value) for value in self._answers]
        self._answers.clear()
        self.due = False
        if self._wanted:
            self._wanted = False
            self._number = (self._number + 1) & MAX_WINDOW
            self._sent_at = now
            control.append(encode_header(PING, SYN, 0, self._number))

    def estimate(self, now: float) -> float:
        """The best guess at the round trip: at least what an unanswered first ping has waited."""
        if self.round_trip_seconds is not None:
            return self.round_trip_seconds
        return now - self._sent_at if self._sent_at is not None else 0.0
