"""Which messages were seen lately, so that none is delivered twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._rpc import MessageId


class SeenMessages:
    """Ids with the time until which they are remembered, counted from when they were first seen."""

    def __init__(self, ttl_seconds: float, max_ids: int) -> None:
        """Remember each id for `ttl_seconds`; beyond `max_ids` the oldest is forgotten early."""
        self._ttl = ttl_seconds
        self._max_ids = max_ids
        self._until: dict[MessageId, float] = {}
        self.forgotten_early = 0

    def add(self, message_id: MessageId, now: float) -> bool:
        """Remember an id; gives whether it is new."""
        if message_id in self._until:
            return False
        self._until[message_id] = now + self._ttl
        if len(self._until) > self._max_ids:
            del self._until[next(iter(self._until))]
            self.forgotten_early += 1
        return True

    def expire(self, now: float) -> None:
        """Forget what has been remembered long enough."""
        old = []
        for message_id, until in self._until.items():  # in the order of their times
            if until > now:
                break
            old.append(message_id)
        for message_id in old:
            del self._until[message_id]

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._until

    def __len__(self) -> int:
        return len(self._until)
