"""What one peer has done in one topic: P1 to P4. Source: libp2p/specs, gossipsub v1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._score_params import TopicScore

ALMOST_ZERO: Final = 0.01  # a counter that has shrunk to it is zero


def decayed(counter: float, elapsed_seconds: float, decay_seconds: float) -> float:
    """A counter after some time: a hundredth of it is left after `decay_seconds`."""
    if not counter:
        return 0.0
    left: float = counter * ALMOST_ZERO ** (elapsed_seconds / decay_seconds)
    return 0.0 if left < ALMOST_ZERO else left


class TopicCounters:
    """The counters, and the score that they make."""

    __slots__ = ("_first", "_grafted_at", "_invalid", "_mesh", "_mesh_failure", "_mesh_seconds")

    def __init__(self) -> None:
        self._grafted_at: float | None = None
        self._mesh_seconds = 0.0
        self._first = 0.0
        self._mesh = 0.0
        self._mesh_failure = 0.0
        self._invalid = 0.0

    def graft(self, now: float) -> None:
        """The peer is in our mesh from now on."""
        self._grafted_at = now
        self._mesh_seconds = 0.0

    def prune(self, params: TopicScore) -> None:
        """It is not in our mesh any more; what it has brought too little is remembered."""
        self._mesh_failure += self._lack(params) ** 2
        self._grafted_at = None
        self._mesh_seconds = 0.0

    def first_delivery(self, params: TopicScore) -> None:
        """It was the first to bring a valid message."""
        self._first = min(self._first + 1, params.first_deliveries_cap)
        self.mesh_delivery(params)

    def mesh_delivery(self, params: TopicScore) -> None:
        """It has brought a valid message, not much later than the first."""
        if self._grafted_at is not None:
            self._mesh = min(self._mesh + 1, params.mesh_deliveries_cap)

    def invalid_delivery(self) -> None:
        """It has brought an invalid message."""
        self._invalid += 1

    def forget_rewards(self) -> None:
        """The peer has gone: what it is remembered for is what it has done wrong."""
        self._first = 0.0

    def decay(self, params: TopicScore, elapsed: float, now: float) -> None:
        """Time has passed."""
        self._first = decayed(self._first, elapsed, params.first_deliveries_decay_seconds)
        self._mesh = decayed(self._mesh, elapsed, params.mesh_deliveries_decay_seconds)
        self._mesh_failure = decayed(self._mesh_failure, elapsed, params.mesh_failure_decay_seconds)
        self._invalid = decayed(self._invalid, elapsed, params.invalid_decay_seconds)
        if self._grafted_at is not None:
            self._mesh_seconds = now - self._grafted_at

    def score(self, params: TopicScore) -> float:
        """The topic's part of the peer's score, without the topic's weight."""
        in_mesh = self._grafted_at is not None
        quanta = int(self._mesh_seconds / params.time_in_mesh_quantum_seconds) if in_mesh else 0
        return (
            params.time_in_mesh_weight * min(quanta, params.time_in_mesh_cap)
            + params.first_deliveries_weight * self._first
            + params.mesh_deliveries_weight * self._lack(params) ** 2
            + params.mesh_failure_weight * self._mesh_failure
            + params.invalid_weight * self._invalid**2
        )

    @property
    def is_clean(self) -> bool:
        """Whether nothing would be lost if this were forgotten."""
        counters = (self._first, self._mesh, self._mesh_failure, self._invalid)
        return self._grafted_at is None and not any(counters)

    def _lack(self, params: TopicScore) -> float:
        if (
            self._grafted_at is None
            or self._mesh_seconds <= params.mesh_deliveries_activation_seconds
        ):
            return 0.0
        return max(params.mesh_deliveries_threshold - self._mesh, 0.0)
