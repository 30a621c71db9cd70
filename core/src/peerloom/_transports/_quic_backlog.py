"""Backlog: when a connection takes nothing more from an engine that cannot hold single streams.

Such an engine has one queue for all streams of a connection, and what is taken out of it grants the
sender new credit. So a stream that is not read is held by leaving the queue alone, which stops the
other streams as well. They are let past it as long as that costs little; a stream that stops others
for too long is to be reset. One that stops nobody may be left unread for ever.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._quic_settings import QuicSettings

# A sender without credit is silent: what comes after such a pause is another stream's.
GAP_SECONDS: Final = 1.0
PASS_SECONDS: Final = 0.25  # between two times that the others are let past


class Step(Enum):
    """What is to be done now."""

    NOTHING = "nothing"
    HOLD = "hold"
    RELEASE = "release"
    ADMIT = "let the others pass"
    SHED = "reset the stream that stops the others"


class Backlog:
    """Pure: is told what arrives and what is read, and decides.

    Attributes:
        unread: bytes that have arrived and are not read, of all streams.
        held: whether nothing is taken from the engine now.
    """

    def __init__(self, settings: QuicSettings) -> None:
        self.unread = 0
        self.held = False
        self._settings = settings
        self._others_wait = False
        self._last_arrival = 0.0
        self._last_pass = 0.0
        self._stopped_since: float | None = None

    def arrived(self, now: float) -> None:
        """The engine has put something into its queue while that was held."""
        if now - self._last_arrival >= GAP_SECONDS:
            self._others_wait = True
        self._last_arrival = now

    def decide(self, now: float, *, reader_starves: bool) -> Step:
        """The step to take; `reader_starves` if a stream that was busy has a reader waiting."""
        if not self.held:
            if self.unread <= self._settings.pause_bytes:
                return Step.NOTHING
            self.held = True
            self._others_wait = False
            self._last_arrival = self._last_pass = now
            self._stopped_since = None
            return Step.HOLD
        if self.unread <= self._settings.pause_bytes // 2:
            self.held = False
            return Step.RELEASE
        if self._others_wait or reader_starves:
            return self._help_others(now)
        return Step.NOTHING

    def _help_others(self, now: float) -> Step:
        if self.unread <= self._settings.crowded_bytes:
            if now - self._last_pass < PASS_SECONDS:
                return Step.NOTHING
            self._last_pass = self._last_arrival = now
            self._others_wait = False
            return Step.ADMIT
        if self._stopped_since is None:
            self._stopped_since = now
        if now - self._stopped_since < self._settings.stopped_seconds:
            return Step.NOTHING
        self._stopped_since = None
        self._others_wait = False
        return Step.SHED
