"""PingState: when each connection is pinged, and which has been silent for too long."""

from __future__ import annotations

from typing import Final

from attrs import define

from peerloom._coalesce import coalesced

from ._deadlines import Deadlines

# A ping may come so much late, as a part of the interval, to be sent together with others.
_SLACK: Final = 1 / 60


@define
class _Watched:
    failures: int = 0
    supported: bool = True


class PingState:
    """The watchdog's memory: one entry per connection, no I/O and no clock.

    A ping is due one interval after the previous one began, or a little later, so that those of
    many connections go together; an unanswered one is followed at once when the timeout is the
    longer of the two.
    """

    def __init__(self, *, interval_seconds: float, max_failures: int) -> None:
        """Ping every `interval_seconds`; `max_failures` in a row are the end."""
        self._interval = interval_seconds
        self._max_failures = max_failures
        self._watched: dict[int, _Watched] = {}
        # None while a ping is under way, or when the peer does not speak ping.
        self._due = Deadlines()

    def connected(self, connection_id: int, now: float) -> None:
        """Watch a new connection; its first ping is due after one interval."""
        if connection_id not in self._watched:
            self._watched[connection_id] = _Watched()
            self._set_due(connection_id, now)

    def disconnected(self, connection_id: int) -> None:
        """Forget a connection."""
        self._watched.pop(connection_id, None)
        self._due.set(connection_id, None)

    def next_deadline(self) -> float | None:
        """When the next ping is due, or None."""
        return self._due.earliest()

    def take_due(self, now: float) -> list[int]:
        """The connections to ping now; each waits for `answered`, `failed` or `unsupported`."""
        return self._due.take_due(now)

    def answered(self, connection_id: int, began_at: float) -> None:
        """A ping that began then was answered."""
        if watched := self._watched.get(connection_id):
            watched.failures = 0
            watched.supported = True
            self._set_due(connection_id, began_at)

    def failed(self, connection_id: int, began_at: float) -> int:
        """A ping that began then was not answered; gives the failures in a row.

        After the last of them it is not pinged again: it is to be closed.
        """
        watched = self._watched.get(connection_id)
        if watched is None:
            return 0
        watched.failures += 1
        if watched.supported and watched.failures < self._max_failures:
            self._set_due(connection_id, began_at)
        return watched.failures

    def not_sent(self, connection_id: int, began_at: float) -> None:
        """A ping could not leave this node, which says nothing about the peer."""
        if connection_id in self._watched:
            self._set_due(connection_id, began_at)

    def unsupported(self, connection_id: int) -> None:
        """The peer does not speak ping: it is not asked again on this connection."""
        if watched := self._watched.get(connection_id):
            watched.supported = False
            self._due.set(connection_id, None)

    def failures(self, connection_id: int) -> int:
        """How many pings have failed since the last answer."""
        watched = self._watched.get(connection_id)
        return watched.failures if watched else 0

    def is_dead(self, connection_id: int) -> bool:
        """Whether so many pings have failed in a row that the connection shall be closed."""
        return self.failures(connection_id) >= self._max_failures

    def unanswered(self) -> int:
        """How many connections have a failure since their last answer."""
        return sum(watched.failures > 0 for watched in self._watched.values())

    def _set_due(self, connection_id: int, began_at: float) -> None:
        at = coalesced(began_at + self._interval, self._interval * _SLACK)
        self._due.set(connection_id, at)
