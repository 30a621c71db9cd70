"""Backlog: what has arrived and is not done with; peers wait while it is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._change import Change

if TYPE_CHECKING:
    from ._config import GossipsubConfig
    from ._delivery import Delivery
    from ._router import Router


class Backlog:
    """Messages that wait to be verified, judged, or read by the application; and its news."""

    def __init__(
        self, config: GossipsubConfig, router: Router, delivery: Delivery, news: Delivery
    ) -> None:
        self._config = config
        self._router = router
        self._delivery = delivery
        self._news = news
        self._room = Change()
        self._was_full = False

    def shrank(self) -> None:
        """Less waits than before."""
        self._room.tell()

    async def wait_for_room(self) -> None:
        """Wait until no more is in it than may be: only then may more be read from peers."""
        await self._room.until(self._has_room)

    def has_been_full(self) -> bool:
        """Whether peers have had to wait since this was last asked, or do."""
        was_full = not self._has_room() or self._was_full
        self._was_full = False
        return was_full

    @property
    def bytes(self) -> int:
        """What is in it."""
        return self._router.pending_bytes + self._delivery.bytes

    def _has_room(self) -> bool:
        messages = self._router.pending_messages + len(self._delivery) + len(self._news)
        has_room = (
            self.bytes <= self._config.max_pending_bytes
            and messages <= self._config.max_pending_messages
        )
        self._was_full |= not has_room
        return has_room
