"""Messages: delivered once, forwarded to whom they help, asked for and answered within bounds."""

from __future__ import annotations

import pytest

from peerloom import KeyPair
from peerloom_gossipsub import _gossip
from peerloom_gossipsub._actions import Deliver, Judge, Priority, Send, Verdict, Verify, Version
from peerloom_gossipsub._decode import decode_message
from peerloom_gossipsub._encode import encode_message, encode_signature
from peerloom_gossipsub._errors import Duplicate, MessageTooLarge, NoPeersSubscribedToTopic
from peerloom_gossipsub._rpc import IHave, Subscription
from peerloom_gossipsub._score_params import ScoreParams, TopicScore
from peerloom_gossipsub._signing import Author, Publisher, SigningPolicy
from tests.gossipsub.alone import (
    NOBODY,
    Alone,
    T,
    delivered,
    everything,
    joined,
    message_id,
    of_kind,
    receivers,
    rpcs,
)
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import anonymous

SIGNED = {"signing": "strict-sign", "message_id": "go"}


def ids(*numbers):
    return {peer(number) for number in numbers}


def in_mesh(*numbers, **settings):
    router = Alone(**settings)
    router.subscribe()
    router.peers(*numbers)
    for number in numbers:
        router.receive(number, graft=[T])
    return router


def id_of(data):
    return message_id(anonymous(T, data))


def test_a_message_is_verified_judged_delivered_and_forwarded_to_the_rest_of_the_mesh():
    router = in_mesh(1, 2, 3)
    router.peers(4, topic=None)
    actions = router.accept(router.bring(1))

    assert [type(each) for each in actions] == [Verify, Judge, Send, Deliver]
    assert receivers(actions, "messages") == ids(2, 3)
    assert delivered(actions) == [b"data"]
    assert actions[2].priority is Priority.DATA


@pytest.mark.parametrize("stage", ["unverified", "unjudged", "judged"])
def test_who_has_brought_a_message_at_any_stage_does_not_get_it_and_none_is_delivered_twice(stage):
    router = in_mesh(1, 2, 3)
    actions = router.bring(1)
    if stage == "unverified":
        assert router.bring(2) == []
    [verify] = of_kind(actions, Verify)
    router.router.verified(verify.arrival, NOBODY, router.now)
    [judge] = of_kind(router.take(), Judge)
    if stage == "unjudged":
        assert router.bring(2) == []
    router.router.judged(judge.arrival, Verdict.ACCEPT, router.now)
    actions = router.take()

    assert delivered(actions) == [b"data"]
    assert receivers(actions, "messages") == (ids(2, 3) if stage == "judged" else ids(3))
    assert router.bring(2) == []


def test_a_validator_slower_than_ids_are_kept_still_delivers_once():
    router = in_mesh(1, 2, seen_seconds=10)
    [verify] = router.bring(1)
    router.router.verified(verify.arrival, NOBODY, router.now)
    [judge] = router.take()
    router.beat(20)
    assert router.bring(2) == []
    with pytest.raises(Duplicate):
        router.publish()
    router.router.judged(judge.arrival, Verdict.ACCEPT, router.now)
    assert delivered(router.take()) == [b"data"]
    router.beat(5)
    assert router.bring(2) == []


def test_a_forged_copy_that_comes_first_does_not_keep_the_true_one_away():
    router = in_mesh(1, 2, **SIGNED)
    true = Publisher(KeyPair.generate(), SigningPolicy.STRICT_SIGN, 1).make(T, b"true")
    forged = decode_message(
        encode_message(T, b"forged", true.source, true.sequence) + encode_signature(bytes(64), None)
    )
    [first] = router.receive(1, messages=[forged])
    [second] = router.receive(2, messages=[true])
    router.router.invalid(first.arrival, "wrong signature")
    assert router.take() == []
    author = Author(None, 1, is_signed=True)
    router.router.verified(second.arrival, author, router.now)
    actions = router.accept(router.take())

    assert delivered(actions) == [b"true"]
    assert (router.score(1) < 0, router.score(2)) == (True, 0)


@pytest.mark.parametrize("pause", [0, 20], ids=["at-once", "after-ids-are-forgotten"])
def test_of_two_messages_under_one_id_the_first_verified_is_delivered(pause):
    router = in_mesh(1, 2, 3, seen_seconds=10)
    router.subscribe("u")
    [first] = router.bring(1)
    [second] = of_kind(router.bring(2, topic="u"), Verify)
    assert first.arrival.message_id == second.arrival.message_id
    router.router.verified(second.arrival, NOBODY, router.now)
    router.beat(pause)
    router.router.verified(first.arrival, NOBODY, router.now)
    actions = [Judge(second.arrival), *of_kind(router.take(), Judge)]

    assert len(delivered(router.accept(actions[:1]))) == 1
    assert len(actions) == (2 if pause == 0 else 1)
    assert router.router.pending_bytes == 0


def test_all_who_brought_a_rejected_message_pay_and_nobody_for_an_ignored_one():
    router = in_mesh(1, 2, 3)
    first = router.bring(1)
    router.bring(2)
    assert delivered(router.accept(first, Verdict.REJECT)) == []
    router.bring(3)
    assert [router.score(number) < 0 for number in (1, 2, 3)] == [True, True, True]

    router = in_mesh(1, 2)
    assert delivered(router.accept(router.bring(1), Verdict.IGNORE)) == []
    assert router.bring(2) == []
    assert router.score(1) == router.score(2) == 0
    assert router.router.counts()["message ignore"] == 1


def test_the_first_to_bring_a_valid_message_earns_something_if_that_is_on():
    topic = TopicScore(first_deliveries_weight=1)
    router = in_mesh(1, 2, score=ScoreParams(default_topic=topic))
    actions = router.bring(1)
    router.bring(2)
    router.accept(actions)

    assert (router.score(1), router.score(2)) == (1, 0)


def test_messages_of_other_topics_and_from_strangers_are_ignored():
    router = in_mesh(1)

    assert router.bring(1, topic="other") == []
    assert router.bring(77) == []
    assert router.router.counts() == {"message of another topic": 1, "rpc of a stranger": 1}


def test_our_own_message_that_comes_back_is_ignored_and_nobody_pays():
    router = in_mesh(1, **SIGNED)
    own = decode_message(encode_message(T, b"own", bytes(peer(999)), bytes(8)))

    assert router.receive(1, messages=[own]) == []
    assert router.score(1) == 0


def test_a_message_whose_id_cannot_be_made_costs_its_bringer():
    router = in_mesh(1, signing="strict-sign", message_id="rust")
    nonsense = decode_message(encode_message(T, b"", b"nobody", bytes(8)))

    assert router.receive(1, messages=[nonsense]) == []
    assert router.score(1) < 0


def test_a_message_of_a_topic_left_in_the_meantime_is_not_delivered():
    router = in_mesh(1, 2)
    actions = router.bring(1)
    router.unsubscribe()

    assert delivered(router.accept(actions)) == []


def test_the_author_does_not_get_its_own_message():
    router = in_mesh(1, 2, **SIGNED)
    message = decode_message(encode_message(T, b"", bytes(peer(2)), bytes(8)))
    [verify] = router.receive(1, messages=[message])
    router.router.verified(verify.arrival, Author(peer(2), 0, is_signed=True), router.now)

    assert receivers(router.accept(router.take()), "messages") == set()


def test_large_messages_are_declined_at_once_by_those_who_understand_it():
    router = in_mesh(1, 2, 3, idontwant_bytes=1000)
    router.peers(4, version=Version.V1_1)
    router.receive(4, graft=[T])
    [verify] = router.bring(1, bytes(1000))
    assert receivers([verify], "idontwant") == set()
    router.router.verified(verify.arrival, NOBODY, router.now)
    actions = router.take()

    assert receivers(actions, "idontwant") == ids(2, 3)
    assert everything(actions, "idontwant", 2) == [id_of(bytes(1000))]
    assert of_kind(actions, Send)[0].priority is Priority.CONTROL
    assert not receivers(router.accept(router.bring(1, bytes(999))), "idontwant")


def test_who_declined_a_message_does_not_get_it_for_three_heartbeats():
    router = in_mesh(1, 2, 3, seen_seconds=1)
    router.receive(2, idontwant=[id_of(b"data")])
    assert receivers(router.accept(router.bring(1)), "messages") == ids(3)
    assert rpcs(router.receive(2, iwant=[id_of(b"data")])) == []
    router.beat(2)
    assert receivers(router.accept(router.bring(1)), "messages") == ids(3)
    router.beat(2)
    assert receivers(router.accept(router.bring(1)), "messages") == ids(2, 3)


def test_a_flood_of_declined_ids_is_kept_up_to_a_bound():
    router = in_mesh(1)
    for number in range(10):
        router.receive(1, idontwant=[bytes([number]) + n.to_bytes(4, "big") for n in range(5000)])

    known = router.router._state.peers.get(peer(1))
    assert len(known.unwanted) == _gossip.MAX_UNWANTED_IDS
    router.beat(4)
    assert known.unwanted == {}


def test_announced_messages_are_asked_for_unless_seen_or_of_other_topics():
    router = in_mesh(1)
    router.peers(2)
    router.accept(router.bring(1, b"seen"))
    ihave = [IHave(T, [id_of(b"seen"), b"new", b"new"]), IHave("other", [b"else"])]
    [rpc] = rpcs(router.receive(2, ihave=ihave))

    assert rpc.iwant == [b"new"]
    assert router.router.counts()["message asked for"] == 1


def test_an_ihave_flood_is_asked_for_up_to_the_bounds_of_a_heartbeat():
    router = in_mesh(1)

    def announce(number):
        many = [number.to_bytes(2, "big") + n.to_bytes(4, "big") for n in range(700)]
        return len(everything(router.receive(1, ihave=[IHave(T, many)]), "iwant"))

    assert [announce(number) for number in range(12)] == [700] * 7 + [100] + [0] * 4
    assert router.router.counts()["ihave too often"] == 2
    router.beat()
    assert announce(99) == 700


def test_broken_promises_cost_and_kept_ones_do_not():
    for keeps in (True, False):
        router = in_mesh(1, score=ScoreParams(behaviour_threshold=0))
        router.beat()
        router.receive(1, ihave=[IHave(T, [id_of(b"data")])])
        if keeps:
            router.accept(router.bring(1))
        router.beat(2)
        assert router.score(1) == 0
        router.beat(2)
        assert (router.score(1) == 0) == keeps


def test_nobody_pays_for_promises_when_it_was_us_who_paused():
    router = in_mesh(1, score=ScoreParams(behaviour_threshold=0))
    router.beat()
    router.receive(1, ihave=[IHave(T, [b"never"])])
    router.beat(seconds=3600)
    router.beat(5)

    assert router.score(1) == 0


def test_who_announces_and_never_sends_is_soon_ignored():
    router = in_mesh(1)
    router.beat()
    for number in range(300):
        router.receive(1, ihave=[IHave(T, [number.to_bytes(4, "big")])])
        router.now += 0.1
        if number % 10 == 9:
            router.beat(seconds=0)

    assert router.score(1) < -80
    assert router.mesh() == set()


def test_asked_for_messages_are_sent_three_times_to_each_and_no_more():
    router = in_mesh(1)
    router.peers(2, 3)
    router.accept(router.bring(1))
    wanted = [id_of(b"data"), b"unknown"] * 100
    answers = [rpcs(router.receive(2, iwant=wanted)) for _ in range(5)]

    assert [[len(rpc.messages) for rpc in each] for each in answers] == [[1]] * 3 + [[]] * 2
    assert len(rpcs(router.receive(3, iwant=wanted))) == 1
    assert router.router.counts()["message given on request"] == 4


def test_an_iwant_flood_gets_so_many_bytes_in_a_heartbeat(monkeypatch):
    monkeypatch.setattr(_gossip, "MAX_ANSWERED_BYTES", 3000)
    router = in_mesh(1)
    router.peers(2)
    wanted = []
    for number in range(20):
        data = bytes([number]) * 1000
        wanted.append(id_of(data))
        router.accept(router.bring(1, data))
    sent = everything(router.receive(2, iwant=wanted), "messages")

    assert len(sent) == 3
    assert router.router.counts()["iwant of too much"] == 1
    router.beat()
    assert len(everything(router.receive(2, iwant=wanted), "messages")) == 3


def test_peers_outside_the_mesh_are_told_of_messages_for_three_heartbeats():
    router = in_mesh(1, 2, 3, 4, 5)
    router.peers(*range(10, 40))
    router.router.set_peer_score(peer(39), -11)
    router.accept(router.bring(1))
    rounds = [router.beat() for _ in range(4)]

    for actions in rounds[:3]:
        told = receivers(actions, "ihave")
        assert len(told) == int(0.25 * 29)
        assert not told & (router.mesh() | ids(39))
        assert all(rpc.ihave == [IHave(T, [id_of(b"data")])] for rpc in rpcs(actions))
        assert {send.priority for send in of_kind(actions, Send)} == {Priority.GOSSIP}
    assert receivers(rounds[3], "ihave") == set()


def test_what_is_told_of_stays_within_what_others_read():
    router = in_mesh(1)
    router.peers(*range(10, 20))
    for number in range(6000):
        router.accept(router.bring(1, number.to_bytes(4, "big")))
    actions = router.beat()

    listed = [frozenset(rpc.ihave[0].ids) for rpc in rpcs(actions) if rpc.ihave]
    assert all(sum(map(len, each)) <= _gossip.MAX_IHAVE_BYTES for each in listed)
    assert len(set(listed)) > 1


@pytest.mark.parametrize("joined_it", [True, False])
def test_an_own_message_goes_to_every_good_subscriber_where_flooding_is_on(joined_it):
    router = Alone()
    router.peers(*range(20))
    router.peers(30, topic="other")
    router.router.set_peer_score(peer(1), -51)
    router.router.set_peer_score(peer(2), -50)
    if joined_it:
        router.subscribe()
    publication, actions = router.publish()

    assert set(publication.peers) == receivers(actions, "messages") == ids(0, *range(2, 20))
    assert publication.message_id == id_of(b"data")


def test_without_flooding_it_goes_to_the_mesh_and_to_more_while_that_is_small():
    router = Alone(flood_publish=False)
    router.peers(*range(20))
    router.subscribe()
    assert receivers(router.publish()[1], "messages") == router.mesh()
    for gone in list(router.mesh())[:4]:
        router.receive(int.from_bytes(bytes(gone)[2:], "big"), prune=[])
        router.router._meshes.remove(T, gone)
    publication, _ = router.publish(b"second")

    assert len(publication.peers) == 6
    assert router.mesh() < set(publication.peers)


def test_an_explicit_peer_gets_every_message_and_is_always_heard():
    router = in_mesh(1, explicit_peers=(peer(5),), flood_publish=False)
    router.peers(5)
    router.router.set_peer_score(peer(5), -1000)

    assert peer(5) in receivers(router.publish(b"own")[1], "messages")
    assert receivers(router.accept(router.bring(1)), "messages") == ids(5)
    assert delivered(router.accept(router.bring(5, b"theirs"))) == [b"theirs"]
    assert peer(5) not in receivers(router.beat(), "ihave")


def test_what_cannot_be_published_says_why_and_changes_nothing():
    router = Alone(max_message_bytes=1000)
    with pytest.raises(NoPeersSubscribedToTopic, match="'t'"):
        router.publish()
    router.peers(1)
    overhead = len(anonymous(T, bytes(900)).raw) - 900 + 5
    with pytest.raises(MessageTooLarge) as caught:
        router.publish(bytes(1001 - overhead))
    assert (caught.value.size, caught.value.max_bytes) == (1001, 1000)
    router.publish(bytes(1000 - overhead))
    router.publish()
    with pytest.raises(Duplicate):
        router.publish()


def test_a_declined_message_is_published_without_being_sent():
    router = Alone()
    router.peers(1)
    router.receive(1, idontwant=[id_of(b"data")])
    publication, actions = router.publish()

    assert (publication.peers, rpcs(actions)) == ((), [])


def test_a_topic_only_published_to_keeps_its_peers_for_a_minute():
    router = Alone(flood_publish=False)
    router.peers(*range(20))
    router.router.set_peer_score(peer(1), -51)
    first = router.publish(b"1")[0].peers
    assert len(first) == 6
    assert peer(1) not in first
    router.beat(30)
    assert set(router.publish(b"2")[0].peers) == set(first)
    router.router.disconnect(first[0], router.now)
    router.take()
    router.beat()
    third = set(router.publish(b"3")[0].peers)
    assert len(third) == 6
    assert set(first[1:]) < third
    router.beat(60)
    assert router.router._publishing.topics() == ()


def test_a_topic_published_to_and_then_joined_takes_its_peers_into_the_mesh():
    router = Alone(flood_publish=False)
    router.peers(*range(50))
    fanout = set(router.publish()[0].peers)
    router.router.set_peer_score(next(iter(fanout)), -1)
    router.subscribe()

    assert len(router.mesh() & fanout) == 5
    assert len(router.mesh()) == 6
    assert router.router._publishing.topics() == ()


def test_a_subscription_flood_is_kept_up_to_a_bound_but_our_topics_always():
    router = Alone(max_topics_per_peer=10)
    router.peers(1, topic=None)
    for number in range(100):
        many = [Subscription(f"{number} {n}", subscribed=True) for n in range(1000)]
        router.receive(1, subscriptions=many)
    known = router.router._state.peers.get(peer(1))
    assert len(known.topics) == 10
    router.subscribe()
    router.beat()
    [_] = joined(router.receive(1, subscriptions=[Subscription(T, subscribed=True)]))
    assert router.mesh() == ids(1)
    router.router.disconnect(peer(1), router.now)
    assert router.router._state.peers._by_topic == {}


def test_who_comes_and_goes_all_the_time_is_heard_so_often_in_a_heartbeat():
    router = Alone(max_topics_per_peer=10)
    router.peers(1, topic=None)
    flips = [Subscription("x", subscribed=each % 2 == 0) for each in range(1000)]
    first = router.receive(1, subscriptions=flips)
    router.beat()

    assert len(first) == 20
    assert len(router.receive(1, subscriptions=flips)) == 20


def test_a_peer_that_publishes_without_being_subscribed_is_told_again_once():
    alone = Alone()
    alone.subscribe()
    alone.peers(1, topic=None)
    told = 0
    for number in range(3):
        own = encode_message(T, bytes([number]), bytes(peer(1)), bytes(8))
        told += len(everything(alone.receive(1, messages=[decode_message(own)]), "subscriptions"))
        alone.now += 60
    assert told == 2  # a no and a yes


def test_a_peer_that_serves_a_topic_without_being_subscribed_is_told_again_every_half_minute():
    router = Alone()
    router.subscribe("t")
    router.subscribe("u")
    router.peers(1, topic=None)
    router.peers(2, topic="u")
    said = [rpc.subscriptions for rpc in rpcs(router.bring(1)) if rpc.subscriptions]

    assert said == [
        [Subscription("t", subscribed=False), Subscription("u", subscribed=False)],
        [Subscription("t", subscribed=True), Subscription("u", subscribed=True)],
    ]
    router.now += 29
    assert everything(router.bring(1, b"more"), "subscriptions") == []
    router.now += 1
    assert len(everything(router.bring(1, b"again"), "subscriptions")) == 4
    assert [each.topic for each in everything(router.bring(2, b"x"), "subscriptions")] == ["t"] * 2


def test_a_graylisted_peer_is_not_heard_at_all_and_an_offender_gets_there():
    router = in_mesh(1)
    router.router.offend(peer(1), "rpc malformed", 10)
    assert len(router.bring(1)) == 1
    router.router.offend(peer(1), "rpc malformed", 10)

    assert router.bring(1, b"more") == []
    assert router.receive(1, ihave=[IHave(T, [b"x"])], graft=[T]) == []


def test_pending_messages_are_counted_in_bytes_until_they_are_judged():
    router = in_mesh(1)
    message = anonymous(T, bytes(1000))
    actions = router.bring(1, bytes(1000))
    assert router.router.pending_bytes == len(message.raw)
    router.accept(actions)
    assert router.router.pending_bytes == 0
    [verify] = router.bring(1, b"bad")
    router.router.invalid(verify.arrival, "wrong signature")
    assert router.router.pending_bytes == 0
