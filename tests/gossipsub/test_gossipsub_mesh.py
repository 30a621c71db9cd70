"""Meshes: who is in them, who is refused, and for how long."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom import ConfigError
from peerloom_gossipsub._actions import Version
from peerloom_gossipsub._config import Degrees, GossipsubConfig
from peerloom_gossipsub._message_ids import MESSAGE_IDS
from peerloom_gossipsub._rpc import ExchangedPeer, Prune, Subscription
from peerloom_gossipsub._score_params import ScoreParams, Thresholds
from peerloom_gossipsub._selection import survivors
from tests.gossipsub.alone import Alone, T, connects, everything, joined, of_kind, receivers, rpcs
from tests.gossipsub.peers import peer

SMALL = Degrees(wanted=2, low=1, high=3, score=1, out=1, lazy=2)


def ids(*numbers):
    return {peer(number) for number in numbers}


def test_a_topic_is_announced_to_all_and_grafts_as_many_as_wanted():
    router = Alone()
    router.peers(*range(20))
    router.peers(20, topic=None)
    actions = router.subscribe()

    assert receivers(actions, "subscriptions") == ids(*range(21))
    assert receivers(actions, "graft") == router.mesh()
    assert len(router.mesh()) == 6
    assert router.subscribe() == []


def test_who_connects_hears_our_topics_and_hears_them_again_when_it_connects_anew():
    router = Alone()
    assert router.peers(1, topic=None) == []
    router.subscribe("t")
    router.subscribe("u")
    for _ in range(2):
        said = everything(router.peers(1, topic=None), "subscriptions", 1)
        assert said == [Subscription("t", subscribed=True), Subscription("u", subscribed=True)]


def test_who_subscribes_is_grafted_at_once_while_the_mesh_is_small():
    router = Alone()
    router.subscribe()
    router.peers(*range(8))

    assert len(router.mesh()) == 5
    router.beat()
    assert len(router.mesh()) == 5


def test_a_small_mesh_is_filled_by_the_heartbeat():
    router = Alone()
    router.peers(*range(8))
    router.subscribe()
    for gone in list(router.mesh())[:2]:
        router.router.disconnect(gone, router.now)
    actions = router.beat()

    assert len(router.mesh()) == 6
    assert len(receivers(actions, "graft")) == 2


def test_leaving_tells_the_mesh_for_how_long_and_everybody_that_it_is_so():
    router = Alone(unsubscribe_backoff_seconds=1.2)
    router.peers(*range(10))
    router.subscribe()
    mesh = router.mesh()
    actions = router.unsubscribe()

    assert receivers(actions, "prune") == mesh
    assert set(everything(actions, "prune")) == {Prune(T, 2)}
    assert not any(rpc.prune and rpc.subscriptions for rpc in rpcs(actions))  # for rust-libp2p
    assert everything(actions, "subscriptions") == [Subscription(T, subscribed=False)] * 10
    assert router.unsubscribe() == []
    router.subscribe()
    assert not router.mesh() & mesh
    router.beat(3)
    assert len(router.mesh()) == 6


def test_a_graft_is_taken_and_means_a_subscription():
    router = Alone()
    router.subscribe()
    router.peers(1, topic=None)
    actions = router.receive(1, graft=[T])

    assert router.mesh() == ids(1)
    assert [each.topic for each in joined(actions)] == [T]
    assert rpcs(actions) == []
    assert rpcs(router.receive(1, graft=[T])) == []


def test_advisory_14_a_million_grafts_of_unknown_topics_leave_nothing_and_get_no_answer():
    router = Alone()
    router.subscribe()
    router.peers(1)
    for number in range(200):
        topics = [f"{number}-{each}" for each in range(5000)]
        assert router.receive(1, graft=topics) == []

    assert router.router.counts()["graft of another topic"] == 1_000_000
    state = router.router._state
    assert (len(state.backoffs), len(state.peers._by_topic)) == (0, 1)
    assert list(router.router.mesh_sizes()) == [T]


def test_a_full_mesh_refuses_who_dialled_us_and_takes_whom_we_dialled():
    router = Alone(degrees=SMALL)
    router.subscribe()
    router.peers(1, 2, 3, 4)
    for number in (1, 2, 3):
        router.receive(number, graft=[T])
    actions = router.receive(4, graft=[T])

    assert router.mesh() == ids(1, 2, 3)
    assert everything(actions, "prune", 4) == [Prune(T, 60)]
    router.peers(5, outbound=True)
    router.receive(5, graft=[T])
    assert router.mesh() == ids(1, 2, 3, 5)
    router.beat()
    assert len(router.mesh()) == 2
    assert peer(5) in router.mesh()


def test_a_graft_within_backoff_is_refused_punished_and_makes_it_longer():
    router = Alone(degrees=SMALL)
    router.subscribe()
    router.peers(1)
    router.receive(1, prune=[Prune(T, 10)])
    for wait in (8.9, 58.9, 58.9):
        router.now += wait
        actions = router.receive(1, graft=[T])
        assert everything(actions, "prune", 1) == [Prune(T, 60)]
        assert router.mesh() == set()
    router.now += 59  # a PRUNE tells whole seconds: whoever rounds them down is no offender
    router.receive(1, graft=[T])
    assert router.mesh() == ids(1)


def test_a_graft_flood_ends_in_the_graylist():
    router = Alone()
    router.subscribe()
    router.peers(1)
    router.receive(1, prune=[Prune(T, 60)])
    answers = sum(len(rpcs(router.receive(1, graft=[T] * 100))) for _ in range(1000))

    assert answers <= 10
    assert router.score(1) < -80
    assert router.router.counts()["rpc of a graylisted peer"] >= 990


def test_peers_with_a_bad_score_are_refused_pruned_and_not_grafted():
    router = Alone()
    router.peers(*range(6))
    router.subscribe()
    router.router.set_peer_score(peer(1), -1)
    actions = router.beat()

    assert everything(actions, "prune") == everything(actions, "prune", 1) == [Prune(T, 60)]
    router.peers(7)
    router.router.set_peer_score(peer(7), -1)
    assert everything(router.receive(7, graft=[T]), "prune", 7) == [Prune(T, 60)]
    router.beat(3)
    assert router.mesh() == ids(0, 2, 3, 4, 5)


@pytest.mark.parametrize("backoff", [None, 0, 1, 2**31, 2**63 - 101, 2**64 - 1])
def test_advisory_13_a_backoff_of_any_size_survives_200_heartbeats(backoff):
    router = Alone(prune_backoff_seconds=50)
    router.subscribe()
    router.peers(1)
    router.receive(1, prune=[Prune(T, backoff)])
    grafted = [bool(receivers(router.beat(), "graft")) for _ in range(200)]

    first = {None: 50, 0: 50, 1: 1}.get(backoff, 1000)
    assert grafted.index(True) == first if first < 200 else not any(grafted)


def test_a_prune_of_v1_0_by_a_peer_that_leaves_the_topic_holds_only_briefly():
    router = Alone()
    router.subscribe()
    router.peers(1)
    gone = [Subscription(T, subscribed=False)]
    router.receive(1, subscriptions=gone, prune=[Prune(T)])
    router.beat(2)
    actions = router.receive(1, subscriptions=[Subscription(T, subscribed=True)])

    assert everything(actions, "graft", 1) == [T]


def test_a_prune_beside_a_subscription_is_heard_before_anybody_is_grafted():
    router = Alone()
    router.subscribe()
    router.peers(1, topic=None)
    said = [Subscription(T, subscribed=True)]

    assert rpcs(router.receive(1, subscriptions=said, prune=[Prune(T, 60)])) == []


def test_a_peer_of_v1_0_is_not_told_a_backoff():
    router = Alone()
    router.peers(1, version=Version.V1_0)
    router.subscribe()

    assert everything(router.unsubscribe(), "prune", 1) == [Prune(T)]


def test_who_unsubscribes_or_goes_is_out_without_a_word():
    router = Alone()
    router.subscribe()
    router.peers(1, 2)
    actions = router.receive(1, subscriptions=[Subscription(T, subscribed=False)])
    router.router.disconnect(peer(2), router.now)

    assert rpcs(actions + router.take()) == []
    assert router.mesh() == set()
    assert router.router.subscribed_peers(T) == ()


def test_nothing_is_sent_to_who_has_gone_in_the_meantime():
    router = Alone()
    router.router.subscribe(T, router.now)
    router.router.connect(peer(1), Version.V1_2, is_outbound=True)
    router.router.disconnect(peer(1), router.now)

    assert of_kind(router.take(), object) == []


def test_a_mesh_has_enough_peers_that_this_node_has_dialled():
    router = Alone()
    router.peers(*range(6))
    router.subscribe()
    assert len(router.mesh()) == 6
    router.peers(10, 11, 12, outbound=True)
    actions = router.beat()

    assert len(receivers(actions, "graft") & ids(10, 11, 12)) == 2


@given(
    st.dictionaries(st.integers(0, 40), st.tuples(st.integers(-3, 3), st.booleans()), min_size=13),
    st.integers(),
)
def test_who_stays_are_the_best_and_enough_dialled_ones(peers, seed):
    degrees = Degrees()
    kept = survivors(
        peers, degrees, random.Random(seed), lambda p: peers[p][0], lambda p: peers[p][1]
    )

    assert len(kept) == len(set(kept)) == degrees.wanted
    dialled = [each for each in peers if peers[each][1]]
    assert sum(peers[each][1] for each in kept) >= min(degrees.out, len(dialled))
    best = sorted((score for score, _ in peers.values()), reverse=True)[: degrees.score]
    scores = sorted((peers[each][0] for each in kept), reverse=True)
    assert scores[: degrees.score] == best


def test_a_poor_mesh_is_improved_every_sixtieth_heartbeat():
    router = Alone(degrees=Degrees(wanted=3, low=3, high=6, score=2, out=1))
    router.peers(1, 2, 3)
    router.subscribe()
    router.peers(4, 5, 6, 7)
    for number in (4, 5, 6):
        router.router.set_peer_score(peer(number), 1)
    grafts = [receivers(router.beat(), "graft") for _ in range(60)]

    assert [len(each) for each in grafts] == [0] * 59 + [2]
    assert grafts[-1] < ids(4, 5, 6)


def test_a_good_mesh_is_left_as_it_is():
    router = Alone(
        score=ScoreParams(thresholds=Thresholds(opportunistic_graft=0.5)),
        degrees=Degrees(wanted=3, low=3, high=6, score=2, out=0),
    )
    router.peers(1, 2, 3)
    for number in (1, 2, 3, 4):
        router.router.set_peer_score(peer(number), number)
    router.subscribe()
    router.peers(4)

    assert router.beat(120) == []


def test_explicit_peers_are_in_no_mesh_and_are_wanted_connected():
    router = Alone(explicit_peers=(peer(1), peer(2)))
    router.subscribe()
    router.peers(1)
    actions = router.receive(1, graft=[T])

    assert everything(actions, "prune", 1) == [Prune(T, 60)]
    assert router.mesh() == set()
    assert [each.peer for each in connects(router.beat(600))] == [peer(2)] * 2


def test_suggested_peers_are_dialled_only_where_that_is_on_and_the_adviser_is_trusted():
    suggested = [ExchangedPeer(bytes(peer(5)), b"record"), ExchangedPeer(b"nobody")]
    known = [ExchangedPeer(bytes(peer(number))) for number in (1, 999)]
    prune = [Prune(T, 60, suggested + known)]
    for exchange, score, expected in ((False, 20, []), (True, 5, []), (True, 20, [peer(5)])):
        router = Alone(peer_exchange=exchange)
        router.subscribe()
        router.peers(1)
        router.router.set_peer_score(peer(1), score)
        dialled = connects(router.receive(1, prune=prune * 10))
        assert [each.peer for each in dialled] == expected
        assert all(each.record == b"record" for each in dialled)


def test_a_peer_put_out_of_a_full_mesh_is_told_of_others_if_that_is_on():
    for exchange in (True, False):
        router = Alone(degrees=SMALL, peer_exchange=exchange)
        router.subscribe()
        router.peers(*range(40))
        router.router.set_peer_score(peer(20), -1)
        for number in (0, 1, 2):
            router.receive(number, graft=[T])
        [prune] = everything(router.receive(30, graft=[T]), "prune", 30)

        suggested = {each.peer for each in prune.peers}
        assert len(suggested) == (16 if exchange else 0)
        assert not suggested & {bytes(peer(20)), bytes(peer(30))}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Degrees(low=7),
        lambda: Degrees(high=5),
        lambda: Degrees(out=4),
        lambda: Degrees(score=7),
        lambda: GossipsubConfig(message_id="mine"),
        lambda: GossipsubConfig(signing="strict-no-sign"),
        lambda: GossipsubConfig(gossip_heartbeats=6),
        lambda: GossipsubConfig(heartbeat_seconds=0),
        lambda: GossipsubConfig(gossip_factor=1.5),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_every_message_id_and_a_bootstrapper_without_a_mesh_can_be_configured():
    for name in MESSAGE_IDS:
        assert GossipsubConfig(message_id=name).message_id == name
    router = Alone(degrees=Degrees(wanted=0, low=0, high=0, score=0, out=0))
    router.subscribe()
    router.peers(1)
    router.receive(1, graft=[T])
    router.beat(3)
    assert router.mesh() == set()
