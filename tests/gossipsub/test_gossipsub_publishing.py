"""Own messages: who gets them, and what cannot be published."""

from __future__ import annotations

import pytest

from peerloom_gossipsub._errors import Duplicate, MessageTooLarge, NoPeersSubscribedToTopic
from tests.gossipsub.alone import (
    Alone,
    T,
    delivered,
    id_of,
    ids,
    in_mesh,
    receivers,
    rpcs,
)
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import anonymous


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


def test_where_nobody_gets_a_message_the_error_says_why():
    router = Alone()
    with pytest.raises(NoPeersSubscribedToTopic, match="nobody is connected that speaks") as none:
        router.publish()
    router.peers(1, 2, topic="another")
    with pytest.raises(NoPeersSubscribedToTopic, match="2 connected, none of them") as some:
        router.publish()
    router.peers(3)
    router.router.set_peer_score(peer(3), -51)
    with pytest.raises(NoPeersSubscribedToTopic, match="1 subscribed, all with scores") as bad:
        router.publish()
    told = [(each.value.connected, each.value.subscribed) for each in (none, some, bad)]
    assert told == [(0, 0), (2, 0), (3, 1)]


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
