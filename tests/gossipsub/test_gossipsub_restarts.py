"""A peer that restarts under the same id while its old connection still stands (L-39)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio

from peerloom import KeyPair, PeerConnected, PeerDisconnected
from peerloom.testing import Nodes, SimulatedNetwork
from peerloom_gossipsub import Gossipsub, Message, PeerSubscribed, PeerUnsubscribed
from peerloom_gossipsub._lives import Lives
from peerloom_gossipsub._plugin import plugin
from tests.gossipsub.lane import lane_to
from tests.gossipsub.peers import peer

LIMIT_SECONDS = 20.0
EVENTS = (Message, PeerSubscribed, PeerUnsubscribed, PeerConnected, PeerDisconnected)
PEER = peer(1)


async def subscribed(node, *topics):
    gossip = Gossipsub(node.client)
    for topic in topics:
        await gossip.subscribe(topic)
    return gossip


@asynccontextmanager
async def meet_again(nodes, ann, before, after):
    """Ben is subscribed, stops without Ann's knowing, and is there again with other topics."""
    identity = KeyPair.generate()
    heard = nodes.record(ann, *EVENTS)
    [ben] = await nodes(identity=identity)
    async with lane_to(ann) as lane:
        await subscribed(ben, *before)
        await ben.client.dial(lane.address)
        for _ in before:
            await heard.next(PeerSubscribed)
        lane.freeze()
        await nodes.stop(ben)

        [ben] = await nodes(identity=identity)
        at_ben = await subscribed(ben, *after)
        to_ben = nodes.record(ben, *EVENTS)
        await nodes.connect(ben, ann)
        assert len(await ann.client.connections(ben.peer_id)) == 2
        yield ben, at_ben, to_ben, heard, lane


async def test_both_sides_know_each_other_again_and_messages_flow():
    with anyio.fail_after(LIMIT_SECONDS):
        async with Nodes() as nodes:
            [ann] = await nodes()
            at_ann = await subscribed(ann, "news")
            async with meet_again(nodes, ann, ["news"], ["news"]) as (
                ben,
                at_ben,
                to_ben,
                heard,
                _,
            ):
                assert await at_ben.wait_for_peers("news") == (ann.peer_id,)
                await at_ann.publish("news", b"welcome back")
                assert (await to_ben.next(Message)).data == b"welcome back"
                await at_ben.publish("news", b"thank you")
                assert (await heard.next(Message)).data == b"thank you"
                assert await at_ann.subscribed_peers("news") == (ben.peer_id,)


async def test_topics_of_the_earlier_life_end_with_its_connection():
    with anyio.fail_after(LIMIT_SECONDS):
        async with Nodes() as nodes:
            [ann] = await nodes()
            at_ann = await subscribed(ann, "old", "new", "both")
            before, after = ["old", "both"], ["new", "both"]
            async with meet_again(nodes, ann, before, after) as (ben, at_ben, _, heard, lane):
                await at_ben.wait_for_peers("both")
                await heard.next(PeerSubscribed, lambda event: event.topic == "new")
                assert await at_ann.subscribed_peers("old") == (ben.peer_id,)
                lane.cut()
                await heard.next(PeerUnsubscribed, lambda event: event.topic == "old")
                assert await at_ann.subscribed_peers("old") == ()
                assert await at_ann.subscribed_peers("both") == (ben.peer_id,)
                assert await at_ann.mesh_stats() == {"old": 0, "new": 1, "both": 1}


def test_a_node_that_was_without_power_for_a_moment_is_in_its_topics_within_seconds():
    async def scenario(network):
        ann, ben = await network.start(2, plugins=[plugin])
        await ben.dial(ann)
        at_ann = await subscribed(ann, "news")
        await subscribed(ben, "news")
        await at_ann.wait_for_peers("news")
        await ben.crash()
        await ben.start()
        at_ben = await subscribed(ben, "news")
        began = network.now
        async with ben.client.events(Message) as messages:
            await ben.dial(ann)
            await at_ben.wait_for_peers("news")
            await at_ann.wait_for_peers("news")
            await at_ann.publish("news", b"welcome back")
            assert (await anext(messages)).data == b"welcome back"
        return network.now - began

    assert SimulatedNetwork(seed=39).run(scenario) < 5


def test_a_second_connection_of_the_same_life_changes_nothing():
    lives = Lives()
    lives.told(PEER, 1, [], ["a", "b"])
    lives.told(PEER, 2, ["a", "b"], ["a"])
    lives.told(PEER, 2, ["a", "b"], ["b"])  # what it tells does not fit into one RPC
    assert not lives.ended(PEER, 1)


def test_what_only_an_earlier_life_has_told_is_doubted_until_its_connection_ends():
    lives = Lives()
    lives.told(PEER, 1, [], ["a", "b"])
    lives.told(PEER, 5, ["a", "b"], ["b", "c"])
    assert not lives.ended(PEER, 3)
    assert set(lives.ended(PEER, 1)) == {"a"}
    assert not lives.ended(PEER, 5)


def test_nothing_is_doubted_of_a_life_that_speaks_over_both_connections():
    lives = Lives()
    lives.told(PEER, 1, [], ["a", "b"])
    lives.told(PEER, 5, ["a", "b"], ["c"])  # rust-libp2p takes whichever connection is free
    lives.heard(PEER, 5)
    lives.heard(PEER, 1)
    assert not lives.ended(PEER, 1)


def test_nothing_ends_with_the_newer_of_two_connections():
    lives = Lives()
    lives.told(PEER, 1, [], ["a", "b"])
    lives.told(PEER, 5, ["a", "b"], ["c"])
    assert not lives.ended(PEER, 5)
    assert not lives.ended(PEER, 1)


def test_a_peer_that_has_gone_comes_as_a_new_one():
    lives = Lives()
    lives.told(PEER, 1, [], ["a"])
    lives.gone(PEER)
    lives.told(PEER, 2, ["a"], ["b"])
    assert not lives.ended(PEER, 2)
