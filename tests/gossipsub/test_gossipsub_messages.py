"""Messages: delivered once, forwarded to whom they help, asked for and answered within bounds."""

from __future__ import annotations

import pytest

from peerloom import KeyPair
from peerloom_gossipsub import _gossip
from peerloom_gossipsub._actions import Deliver, Judge, Priority, Send, Verdict, Verify, Version
from peerloom_gossipsub._decode import decode_message
from peerloom_gossipsub._encode import encode_message, encode_signature
from peerloom_gossipsub._errors import Duplicate
from peerloom_gossipsub._rpc import IHave, Subscription
from peerloom_gossipsub._score_params import ScoreParams, TopicScore
from peerloom_gossipsub._signing import Author, Publisher, SigningPolicy
from tests.gossipsub.alone import (
    NOBODY,
    Alone,
    T,
    delivered,
    everything,
    id_of,
    ids,
    in_mesh,
    joined,
    of_kind,
    receivers,
    rpcs,
)
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import anonymous

SIGNED = {"signing": "strict-sign", "message_id": "go"}


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


@pytest.mark.parametrize("ids", ["go", "js", "rust", "data-hash"])
def test_messages_without_author_are_told_apart_where_they_are_let_pass(ids):
    router = in_mesh(1, signing="lax-sign", message_id=ids)
    heard = [delivered(router.accept(router.bring(1, data))) for data in (b"a", b"b", b"a")]

    assert heard == [[b"a"], [b"b"], []]


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
