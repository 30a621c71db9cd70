"""Path: one direction of a wire, as plain state: what becomes of a packet, and when it arrives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from random import Random


@frozen
class Quality:
    """What a wire does to packets, the same in both directions.

    Attributes:
        delay_seconds: from the end of the queue to the other side; half of the round trip.
        rate_bytes_per_second: of IP packets, headers included.
        queue_bytes: what may wait for its turn; a packet beyond is dropped (tail drop).
        loss: the share of the packets that get lost behind the queue.
        seed: of the chance by which they do.
    """

    delay_seconds: float = 0.0
    rate_bytes_per_second: float = math.inf
    queue_bytes: float = math.inf
    loss: float = 0.0
    seed: int = 0


@define
class Counters:
    """What has come by in one direction.

    Attributes:
        packets: taken from the sender, dropped and lost ones included.
        bytes: of these.
        dropped: because the queue was full.
        lost: by chance.
        backlog_bytes: the most that has waited in the queue.
    """

    packets: int = 0
    bytes: int = 0
    dropped: int = 0
    lost: int = 0
    backlog_bytes: int = 0


@define
class Path:
    """One direction; `chance` is its own, so that the other direction's packets change nothing."""

    quality: Quality
    chance: Random
    counters: Counters = field(factory=Counters)
    _free_at: float = 0.0

    def send(self, size: int, now: float) -> float | None:
        """When a packet that is sent now arrives; None if it does not."""
        quality, counters = self.quality, self.counters
        counters.packets += 1
        counters.bytes += size
        wait = max(0.0, self._free_at - now)
        if wait:
            backlog = round(wait * quality.rate_bytes_per_second) + size
            if backlog > quality.queue_bytes:
                counters.dropped += 1
                return None
            counters.backlog_bytes = max(counters.backlog_bytes, backlog)
        self._free_at = now + wait + size / quality.rate_bytes_per_second
        if quality.loss and self.chance.random() < quality.loss:
            counters.lost += 1
            return None
        return self._free_at + quality.delay_seconds
