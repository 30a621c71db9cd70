"""Record: why connections and streams failed, for the node's status."""

from __future__ import annotations

import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from peerloom._errors import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multiaddr import Multiaddr

_log = logging.getLogger("peerloom.swarm")

MAX_RECENT: Final = 16  # an operator who looks wants the newest; the counters hold the rest
MAX_TEXT: Final = 200  # of one of them: other sides have their say in some
MAX_KINDS: Final = 64  # error classes; transports of others may bring their own


class Record:
    """Counts failures by the class of their error, and remembers the newest."""

    def __init__(self) -> None:
        self._failed_accepts: Counter[str] = Counter()
        self._failed_dials: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._refused_streams: Counter[str] = Counter()
        self._recent: deque[str] = deque(maxlen=MAX_RECENT)
        self._defects = 0
        self._dropped_streams = 0

    def accept_failed(self, remote: Multiaddr, error: BaseException) -> None:
        """No connection came of a link that somebody opened."""
        _count(self._failed_accepts, error)
        self._remember(remote, error)

    def dial_failed(self, remote: Multiaddr, error: BaseException) -> None:
        """No connection came of an address that was dialled."""
        _count(self._failed_dials, error)
        self._remember(remote, error)

    def connection_ended(self, remote: Multiaddr, error: BaseException) -> None:
        """A connection was ended by an error."""
        _count(self._ended, error)
        self._remember(remote, error)

    def stream_refused(self, remote: Multiaddr, error: BaseException) -> None:
        """A stream that the other side opened was reset before anybody served it."""
        _count(self._refused_streams, error)
        self._remember(remote, error)

    def defect_met(self, remote: Multiaddr | None, error: BaseException) -> str:
        """This program, or a plugin's transport, raised what nobody expects; gives a line."""
        self._defects += 1
        _log.error("Met a defect with %s: the node goes on.", remote, exc_info=error)
        if remote is not None:
            self._remember(remote, error)
        return f"defect: {describe(error)}"

    def stream_dropped(self) -> None:
        """This side let go of a stream without closing it."""
        self._dropped_streams += 1

    def status(self) -> Mapping[str, Any]:
        """What `Status` says of it."""
        return {
            "connection_defects": self._defects,
            "failed_accepts_by": dict(self._failed_accepts),
            "failed_dials_by": dict(self._failed_dials),
            "ended_by": dict(self._ended),
            "refused_streams": dict(self._refused_streams),
            "dropped_streams": self._dropped_streams,
            "recent_failures": list(self._recent),
        }

    def _remember(self, remote: Multiaddr, error: BaseException) -> None:
        self._recent.append(f"{remote}: {describe(error)}"[:MAX_TEXT])


def _count(counter: Counter[str], error: BaseException) -> None:
    kind = type(error).__name__
    counter[kind if kind in counter or len(counter) < MAX_KINDS else "other"] += 1
