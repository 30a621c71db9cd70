"""What peers do is worth what the specification says, and nobody gets rid of a bad score."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peerloom import ConfigError
from peerloom_gossipsub import _deliveries, _peer_scores
from peerloom_gossipsub._deliveries import Deliveries
from peerloom_gossipsub._peer_scores import PeerScores
from peerloom_gossipsub._score_params import ScoreParams, Thresholds, TopicScore
from peerloom_gossipsub._topic_counters import decayed
from tests.gossipsub.peers import peer

A, B, C = peer(1), peer(2), peer(3)
WORD: Any = "much"
NOTHING = TopicScore(invalid_weight=0)
FULL = TopicScore(
    weight=0.5,
    time_in_mesh_weight=0.1,
    time_in_mesh_quantum_seconds=2,
    time_in_mesh_cap=10,
    first_deliveries_weight=2,
    first_deliveries_cap=8,
    mesh_deliveries_weight=-1,
    mesh_deliveries_threshold=4,
    mesh_deliveries_cap=6,
    mesh_deliveries_window_seconds=0.5,
    mesh_deliveries_activation_seconds=5,
    mesh_failure_weight=-2,
)


def scores_of(topic=NOTHING, **settings):
    scores = PeerScores(ScoreParams(default_topic=topic, **settings), {})
    scores.connect(A)
    return scores


def test_p1_time_in_mesh_counts_by_quanta_up_to_its_cap():
    scores = scores_of(
        TopicScore(
            time_in_mesh_weight=0.5, time_in_mesh_quantum_seconds=2, time_in_mesh_cap=3, weight=10
        )
    )
    scores.graft(A, "t", 100)
    seen = []
    for now in (101, 103, 105, 200):
        scores.refresh(now)
        seen.append(scores.score(A))
    scores.prune(A, "t")

    assert seen == [0, 5, 10, 15]
    assert scores.score(A) == 0


def test_p2_first_deliveries_count_up_to_their_cap_and_decay():
    scores = scores_of(
        TopicScore(
            first_deliveries_weight=2, first_deliveries_cap=3, first_deliveries_decay_seconds=10
        )
    )
    scores.refresh(0)
    for _ in range(5):
        scores.first_delivery(A, "t")

    assert scores.score(A) == 6
    scores.refresh(5)
    assert scores.score(A) == pytest.approx(0.6)
    scores.refresh(20)
    assert scores.score(A) == 0


def test_p3_who_brings_too_little_to_the_mesh_loses_the_square_of_it():
    scores = scores_of(FULL)
    scores.graft(A, "t", 0)
    scores.mesh_delivery(A, "t")
    scores.refresh(5)
    before_activation = scores.score(A)
    scores.refresh(6)

    assert before_activation == pytest.approx(0.5 * 0.1 * 2)
    assert scores.score(A) == pytest.approx(0.5 * (0.1 * 3 - (4 - 0.01 ** (1 / 60)) ** 2))
    for _ in range(4):
        scores.mesh_delivery(A, "t")
    assert scores.score(A) == pytest.approx(0.5 * 0.1 * 3)


def test_p3b_what_was_too_little_stays_when_the_peer_leaves_the_mesh():
    scores = scores_of(FULL)
    scores.graft(A, "t", 0)
    scores.refresh(6)

    scores.prune(A, "t")

    assert scores.score(A) == 0.5 * -2 * 16
    scores.graft(A, "t", 7)
    assert scores.score(A) == 0.5 * -2 * 16


def test_p4_invalid_messages_count_by_their_square():
    scores = scores_of(TopicScore(invalid_weight=-3, weight=2))
    for _ in range(4):
        scores.invalid_delivery(A, "t")

    assert scores.score(A) == 2 * -3 * 16


def test_p5_the_applications_score_counts_and_stays():
    scores = scores_of(application_weight=2)
    scores.set_application_score(A, 7)
    scores.set_application_score(B, -3)
    scores.disconnect(A, 0)

    assert (scores.score(A), scores.score(B), scores.score(C)) == (14, -6, 0)
    scores.set_application_score(A, 0)
    assert scores.score(A) == 0


def test_p6_peers_at_one_ip_count_beyond_the_threshold():
    scores = scores_of(ip_colocation_weight=-1, ip_colocation_threshold=1)
    scores.connect(A, ["192.0.2.1"])
    scores.connect(B, ["192.0.2.1", "192.0.2.2"])
    scores.connect(C, ["192.0.2.1"])

    assert [scores.score(each) for each in (A, B, C)] == [-4, -4, -4]
    scores.connect(C, ["192.0.2.3"])
    assert [scores.score(each) for each in (A, B, C)] == [-1, -1, 0]


def test_p7_offences_are_forgiven_up_to_the_threshold():
    scores = scores_of(behaviour_weight=-2, behaviour_threshold=3)
    scores.offend(A, 3)
    forgiven = scores.score(A)
    scores.offend(A, 4)

    assert (forgiven, scores.score(A)) == (0, -32)
    scores.offend(B)
    assert scores.score(B) == 0


def test_topics_together_add_no_more_than_the_cap():
    scores = scores_of(TopicScore(first_deliveries_weight=5), topics_cap=12)
    scores.set_application_score(A, 1)
    for topic in ("t", "u", "v"):
        scores.first_delivery(A, topic)

    assert scores.score(A) == 13


def test_a_topic_with_settings_of_its_own_has_them():
    scores = scores_of(topics={"t": TopicScore(first_deliveries_weight=5)})
    scores.first_delivery(A, "t")
    scores.first_delivery(A, "u")

    assert scores.score(A) == 5


def test_who_comes_back_has_its_bad_score_until_it_is_forgotten():
    scores = scores_of(TopicScore(first_deliveries_weight=1), retain_seconds=100)
    scores.first_delivery(A, "t")
    scores.offend(A, 20)
    bad = scores.score(A) - 1  # without its reward
    scores.disconnect(A, 0)
    scores.refresh(99)
    scores.connect(A)

    assert scores.score(A) == bad
    scores.disconnect(A, 99)
    scores.refresh(199)
    scores.connect(A)
    assert scores.score(A) == 0


def test_a_good_score_is_not_remembered():
    scores = scores_of(TopicScore(first_deliveries_weight=1))
    scores.first_delivery(A, "t")
    scores.disconnect(A, 0)

    assert len(scores) == 0


def test_bad_peers_that_have_gone_are_remembered_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(_peer_scores, "MAX_RETAINED", 10)
    scores = scores_of()
    for number in range(50):
        scores.connect(peer(number), ["192.0.2.1"])
        scores.offend(peer(number), 20)
        scores.disconnect(peer(number), 0)

    assert len(scores) == 10
    assert scores.score(peer(49)) < 0


def test_scores_of_the_application_are_bounded(monkeypatch):
    monkeypatch.setattr(_peer_scores, "MAX_APPLICATION_SCORES", 2)
    scores = scores_of()
    for each in (A, B, C):
        scores.set_application_score(each, 5)

    assert [scores.score(each) for each in (A, B, C)] == [0, 5, 5]


def deliveries_of(topic):
    params = ScoreParams(default_topic=topic)
    scores = PeerScores(params, {})
    for each in (A, B, C):
        scores.connect(each)
        scores.graft(each, "t", 0)
    return Deliveries(params, scores, 60), scores


def test_who_brings_a_valid_message_is_counted_once_and_only_within_the_window():
    topic = TopicScore(
        first_deliveries_weight=1,
        mesh_deliveries_weight=-1,
        mesh_deliveries_threshold=1,
        mesh_deliveries_window_seconds=0.5,
        mesh_deliveries_activation_seconds=0,
    )
    deliveries, scores = deliveries_of(topic)
    deliveries.accept(b"1", "t", [A, B, A], 1.0)
    deliveries.repeat(b"1", "t", C, 1.6)
    scores.refresh(2.0)

    assert [scores.score(each) for each in (A, B, C)] == [1, 0, -1]
    deliveries.accept(b"2", "t", [A], 2.0)
    deliveries.repeat(b"2", "t", C, 2.5)
    assert scores.score(C) == 0
    deliveries.expire(3.0)
    assert len(deliveries) == 0


def test_everybody_who_brings_an_invalid_message_pays_even_later():
    deliveries, scores = deliveries_of(TopicScore(invalid_weight=-1))
    deliveries.reject(b"1", "t", [A, B, A], 1.0)
    deliveries.repeat(b"1", "t", C, 60.0)

    assert [scores.score(each) for each in (A, B, C)] == [-1, -1, -1]
    deliveries.expire(61.0)
    deliveries.repeat(b"1", "t", C, 61.0)
    assert scores.score(C) == -1


def test_what_is_remembered_of_messages_is_bounded(monkeypatch):
    monkeypatch.setattr(_deliveries, "MAX_RECORDS", 5)
    deliveries, _ = deliveries_of(FULL)
    for number in range(50):
        deliveries.reject(number.to_bytes(1, "big"), "t", [A], 0)
        deliveries.accept(number.to_bytes(2, "big"), "t", [A], 0)

    assert len(deliveries) == 10


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Thresholds(gossip=1),
        lambda: Thresholds(gossip=-10, publish=-5),
        lambda: Thresholds(publish=-90),
        lambda: Thresholds(accept_px=-1),
        lambda: TopicScore(invalid_weight=1),
        lambda: TopicScore(first_deliveries_weight=-1),
        lambda: TopicScore(invalid_decay_seconds=0),
        lambda: TopicScore(weight=float("nan")),
        lambda: TopicScore(weight=float("inf")),
        lambda: TopicScore(weight=True),
        lambda: ScoreParams(ip_colocation_threshold=0),
        lambda: ScoreParams(behaviour_weight=WORD),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


PEERS = st.integers(1, 4).map(peer)
TOPICS = st.sampled_from(["t", "u"])
IPS = st.sets(st.sampled_from(["192.0.2.1", "192.0.2.2"]), max_size=2)


class ScoresMachine(RuleBasedStateMachine):
    """Whatever happens, a score is what its counters say, and time heals every wound."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.params = ScoreParams(default_topic=FULL, ip_colocation_weight=-1)
        self.scores = PeerScores(self.params, {})
        self.connected = set()

    @rule(who=PEERS, ips=IPS)
    def connect(self, who, ips):
        self.scores.connect(who, ips)
        self.connected.add(who)

    @rule(who=PEERS)
    def disconnect(self, who):
        before = self.scores.score(who)
        self.scores.disconnect(who, self.now)
        self.connected.discard(who)
        assert self.scores.score(who) <= max(before, 0.0)

    @rule(
        who=PEERS,
        topic=TOPICS,
        deed=st.sampled_from(
            ["prune", "first_delivery", "mesh_delivery", "invalid_delivery"],
        ),
    )
    def act(self, who, topic, deed):
        getattr(self.scores, deed)(who, topic)

    @rule(who=PEERS, topic=TOPICS)
    def graft(self, who, topic):
        self.scores.graft(who, topic, self.now)

    @rule(who=PEERS, count=st.integers(1, 20))
    def offend(self, who, count):
        before = self.scores.score(who)
        self.scores.offend(who, count)
        assert self.scores.score(who) <= before

    @rule(seconds=st.floats(0, 5000))
    def wait(self, seconds):
        self.now += seconds
        self.scores.refresh(self.now)

    @invariant()
    def a_score_is_what_its_counters_say(self):
        remembered = {who: self.scores.score(who) for who in map(peer, range(1, 5))}
        self.scores._known.clear()
        assert remembered == {who: self.scores.score(who) for who in remembered}

    def teardown(self):
        for who in map(peer, range(1, 5)):
            self.scores.disconnect(who, self.now)
        for _ in range(2):
            self.now += 10_000
            self.scores.refresh(self.now)
        assert len(self.scores) == 0
        assert not self.scores._at_ip
        assert not self.scores._retained


TestScores = ScoresMachine.TestCase
TestScores.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1e6))
def test_to_decay_twice_is_to_decay_by_both_times(first, second, counter):
    once = decayed(counter, first + second, 500)
    twice = decayed(decayed(counter, first, 500), second, 500)

    assert twice == pytest.approx(once, rel=1e-6, abs=0.011)
