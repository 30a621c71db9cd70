"""Who brought which message, and what that is worth once the message has been judged.

Source: libp2p/specs, gossipsub v1.1: P2, P3 and P4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom import PeerId

    from ._peer_scores import PeerScores
    from ._rpc import MessageId
    from ._score_params import ScoreParams

MAX_RECORDS: Final = 65_536  # messages of each kind; the oldest go early


class Deliveries:
    """What is remembered of judged messages: valid ones briefly, invalid ones for a while."""

    def __init__(self, params: ScoreParams, scores: PeerScores, remember_seconds: float) -> None:
        """Punish who brings a rejected message up to `remember_seconds` later."""
        self._params = params
        self._scores = scores
        self._remember_seconds = remember_seconds
        self._valid: dict[MessageId, tuple[float, set[PeerId]]] = {}
        self._invalid: dict[MessageId, float] = {}

    def accept(
        self, message_id: MessageId, topic: str, bringers: Sequence[PeerId], now: float
    ) -> None:
        """The message is valid; these peers have brought it so far, the first one first."""
        if not bringers:
            return
        self._scores.first_delivery(bringers[0], topic)
        counted = set(bringers)
        for peer in counted - {bringers[0]}:
            self._scores.mesh_delivery(peer, topic)
        window = self._params.of_topic(topic).mesh_deliveries_window_seconds
        if self._params.of_topic(topic).mesh_deliveries_weight:
            self._valid[message_id] = (now + window, counted)
            _bound(self._valid)

    def reject(
        self, message_id: MessageId, topic: str, bringers: Sequence[PeerId], now: float
    ) -> None:
        """The message is invalid; these peers have brought it so far."""
        for peer in set(bringers):
            self._scores.invalid_delivery(peer, topic)
        self._invalid[message_id] = now + self._remember_seconds
        _bound(self._invalid)

    def repeat(self, message_id: MessageId, topic: str, peer: PeerId, now: float) -> None:
        """A peer has brought a message that had been judged before."""
        if message_id in self._invalid:
            self._scores.invalid_delivery(peer, topic)
            return
        until, counted = self._valid.get(message_id, (now - 1, set()))
        if now <= until and peer not in counted:
            counted.add(peer)
            self._scores.mesh_delivery(peer, topic)

    def expire(self, now: float) -> None:
        """Forget what is not worth anything any more."""
        for message_id in [each for each, (until, _) in self._valid.items() if until < now]:
            del self._valid[message_id]
        for message_id in [each for each, until in self._invalid.items() if until <= now]:
            del self._invalid[message_id]

    def __len__(self) -> int:
        return len(self._valid) + len(self._invalid)


def _bound(records: dict[MessageId, tuple[float, set[PeerId]]] | dict[MessageId, float]) -> None:
    if len(records) > MAX_RECORDS:
        del records[next(iter(records))]
