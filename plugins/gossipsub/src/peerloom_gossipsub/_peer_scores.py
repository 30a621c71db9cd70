"""What this node thinks of each peer. Source: libp2p/specs, gossipsub v1.1, peer scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._topic_counters import TopicCounters, decayed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerloom import PeerId

    from ._score_params import ScoreParams

MAX_RETAINED: Final = 4096  # peers that have gone with a bad score; the first to go is forgotten
MAX_APPLICATION_SCORES: Final = 65_536  # set by the application; the one set first is forgotten


class _Record:
    __slots__ = ("forget_at", "ips", "offences", "topics")

    def __init__(self) -> None:
        self.topics: dict[str, TopicCounters] = {}
        self.offences = 0.0
        self.ips: frozenset[str] = frozenset()
        self.forget_at: float | None = None  # None while connected


class PeerScores:
    """The scores, from what the router tells; only connected peers earn or lose anything."""

    def __init__(self, params: ScoreParams, application: dict[PeerId, float]) -> None:
        """Score by `params`, and by what the application thinks, kept in `application`."""
        self._params = params
        self._records: dict[PeerId, _Record] = {}
        self._retained: dict[PeerId, None] = {}
        self._at_ip: dict[str, set[PeerId]] = {}
        self._application = application
        self._known: dict[PeerId, float] = {}  # scores since the last change
        self._refreshed_at: float | None = None

    def connect(self, peer: PeerId, ips: Iterable[str] = ()) -> None:
        """The peer is here, at these IPs."""
        record = self._records.setdefault(peer, _Record())
        record.forget_at = None
        self._retained.pop(peer, None)
        self._move(peer, record, frozenset(ips))

    def disconnect(self, peer: PeerId, now: float) -> None:
        """The peer has gone; a bad score is remembered, a good one is not."""
        record = self._records.get(peer)
        if record is None:
            return
        for topic, counters in record.topics.items():
            counters.forget_rewards()
            counters.prune(self._params.of_topic(topic))
        self._known.pop(peer, None)
        if self.score(peer) - self._application_part(peer) >= 0:
            self._forget(peer)
            return
        record.forget_at = now + self._params.retain_seconds
        self._retained[peer] = None
        if len(self._retained) > MAX_RETAINED:
            self._forget(next(iter(self._retained)))

    def graft(self, peer: PeerId, topic: str, now: float) -> None:
        """The peer is in our mesh of the topic."""
        if counters := self._counters(peer, topic):
            counters.graft(now)

    def prune(self, peer: PeerId, topic: str) -> None:
        """The peer is not in our mesh of the topic any more."""
        if counters := self._counters(peer, topic):
            counters.prune(self._params.of_topic(topic))

    def first_delivery(self, peer: PeerId, topic: str) -> None:
        """The peer was the first to bring a valid message."""
        if counters := self._counters(peer, topic):
            counters.first_delivery(self._params.of_topic(topic))

    def mesh_delivery(self, peer: PeerId, topic: str) -> None:
        """The peer has brought a valid message as well, at about the same time."""
        if counters := self._counters(peer, topic):
            counters.mesh_delivery(self._params.of_topic(topic))

    def invalid_delivery(self, peer: PeerId, topic: str) -> None:
        """The peer has brought an invalid message."""
        if counters := self._counters(peer, topic):
            counters.invalid_delivery()

    def offend(self, peer: PeerId, count: float = 1) -> None:
        """The peer has misbehaved (P7)."""
        if record := self._records.get(peer):
            record.offences += count
            self._known.pop(peer, None)

    def set_application_score(self, peer: PeerId, score: float) -> None:
        """What the application thinks of a peer (P5); it stays when the peer goes."""
        self._application.pop(peer, None)
        self._known.pop(peer, None)
        if score:
            self._application[peer] = score
            if len(self._application) > MAX_APPLICATION_SCORES:
                oldest = next(iter(self._application))
                del self._application[oldest]
                self._known.pop(oldest, None)

    def refresh(self, now: float) -> None:
        """Let the counters shrink by the time since the last call, and forget old records."""
        elapsed = 0.0 if self._refreshed_at is None else now - self._refreshed_at
        self._refreshed_at = now
        self._known.clear()
        for peer, record in list(self._records.items()):
            if record.forget_at is None:
                self._decay(record, elapsed, now)
            elif record.forget_at <= now:
                self._forget(peer)

    def score(self, peer: PeerId) -> float:
        """The peer's score; 0 for a stranger."""
        score = self._known.get(peer)
        if score is None:
            record = self._records.get(peer)
            if record is None:
                return self._application_part(peer)
            score = self._known[peer] = self._score(peer, record)
        return score

    def __len__(self) -> int:
        return len(self._records)

    def _score(self, peer: PeerId, record: _Record) -> float:
        params = self._params
        topics = sum(
            params.of_topic(topic).weight * counters.score(params.of_topic(topic))
            for topic, counters in record.topics.items()
        )
        if params.topics_cap:
            topics = min(topics, params.topics_cap)
        crowd = sum(
            max(len(self._at_ip[ip]) - params.ip_colocation_threshold, 0) ** 2 for ip in record.ips
        )
        offences = max(record.offences - params.behaviour_threshold, 0.0)
        return (
            topics
            + self._application_part(peer)
            + params.ip_colocation_weight * crowd
            + params.behaviour_weight * offences**2
        )

    def _application_part(self, peer: PeerId) -> float:
        return self._params.application_weight * self._application.get(peer, 0.0)

    def _counters(self, peer: PeerId, topic: str) -> TopicCounters | None:
        record = self._records.get(peer)
        if record is None or record.forget_at is not None:
            return None
        self._known.pop(peer, None)
        return record.topics.setdefault(topic, TopicCounters())

    def _decay(self, record: _Record, elapsed: float, now: float) -> None:
        record.offences = decayed(record.offences, elapsed, self._params.behaviour_decay_seconds)
        for topic, counters in list(record.topics.items()):
            counters.decay(self._params.of_topic(topic), elapsed, now)
            if counters.is_clean:
                del record.topics[topic]

    def _forget(self, peer: PeerId) -> None:
        self._move(peer, self._records.pop(peer), frozenset())
        self._retained.pop(peer, None)

    def _move(self, peer: PeerId, record: _Record, ips: frozenset[str]) -> None:
        for ip in record.ips - ips:
            self._at_ip[ip].remove(peer)
            self._forget_scores_at(ip)
            if not self._at_ip[ip]:
                del self._at_ip[ip]
        for ip in ips - record.ips:
            self._at_ip.setdefault(ip, set()).add(peer)
            self._forget_scores_at(ip)
        record.ips = ips
        self._known.pop(peer, None)

    def _forget_scores_at(self, ip: str) -> None:
        if self._params.ip_colocation_weight:
            for neighbour in self._at_ip[ip]:
                self._known.pop(neighbour, None)
