"""What waits to be written to one peer: control before data before gossip, all of it bounded."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from ._actions import Priority
from ._encode import framed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CONTROL_BYTES: Final = 1024 * 1024  # who lets that pile up does not read at all


class OutboundQueue:
    """Frames by priority. What has no room is refused whole; the caller waits or lets it go.

    Attributes:
        offered_data: how many frames of data have been queued so far.
        pulled_data: how many of these have been taken out.
    """

    def __init__(self, max_bytes: int) -> None:
        """Hold up to `max_bytes` of data, and of gossip what data leaves; control beside that.

        Gossip takes no room from data that comes later. Where nothing waits there is room for
        anything: a message, or the names of all topics in a greeting.
        """
        self._max_bytes = max_bytes
        self._frames: dict[Priority, deque[bytes]] = {each: deque() for each in Priority}
        self._bytes: Counter[Priority] = Counter()
        self._refused: Counter[Priority] = Counter()
        self.offered_data = self.pulled_data = 0
        self._full_since: float | None = None

    def offer(self, priority: Priority, frames: Sequence[bytes], now: float) -> bool:
        """Queue frames, all of them or none; gives whether there was room."""
        size = sum(map(len, frames))
        if not self._has_room(priority, size):
            self._refused[priority] += len(frames)
            if priority is Priority.DATA and self._full_since is None:
                self._full_since = now
            return False
        self._frames[priority].extend(frames)
        self._bytes[priority] += size
        if priority is Priority.DATA:
            self.offered_data += len(frames)
        return True

    def pull(self, max_bytes: int) -> list[bytes]:
        """Frames with their lengths in front, to be written together; at least one if there is."""
        pulled: list[bytes] = []
        room = max_bytes
        for priority, waiting in self._frames.items():
            while waiting and (not pulled or len(waiting[0]) <= room):
                frame = waiting.popleft()
                self._bytes[priority] -= len(frame)
                room -= len(frame)
                pulled.append(framed(frame))
                self.pulled_data += priority is Priority.DATA
            if waiting:
                break
        if pulled:
            self._full_since = None
        return pulled

    def full_for(self, now: float) -> float:
        """How long data has been refused while nothing was taken out, in seconds."""
        return 0.0 if self._full_since is None else now - self._full_since

    @property
    def bytes(self) -> int:
        """What waits."""
        return sum(self._bytes.values())

    @property
    def refused(self) -> Mapping[Priority, int]:
        """Frames for which there was no room, by priority."""
        return self._refused

    def __bool__(self) -> bool:
        return any(self._frames.values())

    def __len__(self) -> int:
        return sum(map(len, self._frames.values()))

    def _has_room(self, priority: Priority, size: int) -> bool:
        most = MAX_CONTROL_BYTES if priority is Priority.CONTROL else self._max_bytes
        waiting = self._bytes[priority]
        if priority is Priority.GOSSIP:
            waiting += self._bytes[Priority.DATA]
        return not waiting or waiting + size <= most
