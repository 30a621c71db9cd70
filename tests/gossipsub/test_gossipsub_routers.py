"""Many routers together: every message reaches everybody once, by mesh or by gossip."""

from __future__ import annotations

import random

import pytest

from peerloom_gossipsub._config import Degrees
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import Network

CALIMERO = Degrees(wanted=4, low=2, high=8, out=1, score=3, lazy=4)


def meshed(count, degree, **settings):
    network = Network(count, **settings)
    network.connect_all(random.Random(7), degree)
    for node in network.nodes:
        node.subscribe("t")
    network.settle()
    network.pass_heartbeats(3)
    return network


@pytest.mark.parametrize("degrees", [Degrees(), CALIMERO], ids=["6/5/12", "4/2/8"])
@pytest.mark.parametrize("flood", [True, False], ids=["flood", "mesh"])
def test_every_message_reaches_everybody_once(degrees, flood):
    network = meshed(40, 6, degrees=degrees, flood_publish=flood)
    for number in range(30):
        network.nodes[number].publish("t", bytes([number]))
        network.settle()
    network.pass_heartbeats(2)

    for node in network.nodes:
        own = node.number <= 30
        assert len(node.delivered) == len(set(node.delivered)) == 30 - own


def test_meshes_are_mutual_and_within_their_bounds():
    network = meshed(40, 15)
    network.pass_heartbeats(5)

    for node in network.nodes:
        mesh = node.router.mesh_peers("t")
        assert 5 <= len(mesh) <= 12
        for other in mesh:
            assert node.peer in network.by_peer[other].router.mesh_peers("t")


def test_what_the_mesh_loses_comes_by_gossip():
    network = meshed(30, 8, flood_publish=False)
    chance = random.Random(3)
    network.drop = lambda _sender, _receiver, send: (
        bool(send.rpc.messages) and send.priority == 1 and chance.random() < 0.7
    )
    for number in range(20):
        network.nodes[number].publish("t", bytes([number]))
        network.settle()
    network.pass_heartbeats(5)

    for node in network.nodes:
        assert len(node.delivered) == len(set(node.delivered)) == 20 - (node.number <= 20)


def test_a_third_of_the_nodes_can_go_in_the_middle():
    network = meshed(30, 10, flood_publish=False)
    gone, left = network.nodes[:10], network.nodes[10:]
    for number in range(40):
        left[number % 20].publish("t", bytes([number]))
        if number == 20:
            for near, far in [key for key in network.lines if key[0] < key[1]]:
                pair = (network.by_peer[near], network.by_peer[far])
                if set(pair) & set(gone):
                    network.disconnect(*pair)
            network.nodes[:] = left
        network.settle()
    network.pass_heartbeats(5)

    for node in left:
        assert len(node.delivered) == len(set(node.delivered)) == 38


def test_a_publisher_that_hears_nothing_reaches_all_by_fanout():
    network = Network(20, flood_publish=False)
    network.connect_all(random.Random(7), 6)
    publisher, listeners = network.nodes[0], network.nodes[1:]
    for node in listeners:
        node.subscribe("t")
    network.settle()
    network.pass_heartbeats(2)
    for number in range(10):
        publication = publisher.publish("t", bytes([number]))
        assert len(publication.peers) <= 6
        network.settle()
    network.pass_heartbeats(5)

    assert all(len(node.delivered) == 10 for node in listeners)
    assert publisher.router.mesh_sizes() == {}


def test_who_left_and_came_back_within_seconds_hears_again():
    network = meshed(12, 5)
    node = network.nodes[0]
    node.unsubscribe("t")
    network.settle()
    assert all(node.peer not in each.router.subscribed_peers("t") for each in network.nodes)
    network.pass_heartbeats(1)
    node.subscribe("t")
    network.settle()
    network.pass_heartbeats(4)

    assert len(node.router.mesh_peers("t")) >= 5
    network.nodes[5].publish("t", b"again")
    network.settle()
    assert len(node.delivered) == 1


def test_silence_changes_nothing():
    network = meshed(12, 5)
    before = [set(node.router.mesh_peers("t")) for node in network.nodes]
    for node in network.nodes:
        node.sent.clear()
    network.pass_heartbeats(75)

    assert [set(node.router.mesh_peers("t")) for node in network.nodes] == before
    assert not any(node.sent for node in network.nodes)
    assert all(node.router.peer_score(peer(1)) == 0 for node in network.nodes)
