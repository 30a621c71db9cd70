"""Eighty peers that take every message and pass none on, among twenty honest ones."""

from __future__ import annotations

import random

import pytest

from peerloom_gossipsub._actions import Version
from peerloom_gossipsub._decode import decode_rpc
from peerloom_gossipsub._encode import encode_rpc
from peerloom_gossipsub._rpc import Rpc, Subscription
from peerloom_gossipsub._score_params import ScoreParams, TopicScore
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import LIMITS, Network

HONEST, SYBILS, MESSAGES = 20, 80, 60
SCORED = ScoreParams(
    default_topic=TopicScore(
        first_deliveries_weight=1,
        first_deliveries_decay_seconds=120,
        first_deliveries_cap=50,
        mesh_deliveries_weight=-1,
        mesh_deliveries_decay_seconds=60,
        mesh_deliveries_cap=20,
        mesh_deliveries_threshold=3,
        mesh_deliveries_activation_seconds=5,
        mesh_failure_weight=-1,
        mesh_failure_decay_seconds=300,
    )
)
UNSCORED = ScoreParams(default_topic=TopicScore(invalid_weight=0), behaviour_weight=0)


class Sybils:
    """They dial every honest node, graft it whenever they may, and drop what they get."""

    def __init__(self, network, chance):
        self.network = network
        self.chance = chance
        self.numbers = range(1000, 1000 + SYBILS)
        for node in network.nodes:
            for number in self.numbers:
                network.lines[node.peer, peer(number)] = []
                node.router.connect(peer(number), Version.V1_2, is_outbound=False)
                self.say(node, number, subscriptions=[Subscription("t", subscribed=True)])

    def say(self, node, number, **content):
        for frame in encode_rpc(Rpc(**content)):
            node.receive(peer(number), frame)

    def act(self):
        for node in self.network.nodes:
            for number in self.chance.sample(self.numbers, len(self.numbers)):
                line = self.network.lines[node.peer, peer(number)]
                pruned = any(decode_rpc(frame, LIMITS).prune for frame in line)
                line.clear()
                if not pruned and peer(number) not in node.router.mesh_peers("t"):
                    self.say(node, number, graft=["t"])


def besieged(score, *, flood):
    chance = random.Random(5)
    network = Network(HONEST, score=score, flood_publish=flood)
    for index, node in enumerate(network.nodes):
        for step in (1, 2, 3):  # each node has six honest neighbours, three of which it dialled
            network.connect(node, network.nodes[(index + step) % HONEST])
    for node in network.nodes:
        node.subscribe("t")
    network.settle()
    sybils = Sybils(network, chance)
    sent = 0
    while sent < MESSAGES:
        for node in network.nodes[:2]:
            node.publish("t", sent.to_bytes(2, "big"))
            network.settle()
            sent += 1
        sybils.act()
        network.pass_heartbeats(1)
    for _ in range(5):
        sybils.act()
        network.pass_heartbeats(1)
    return network


def share_of_sybils(network):
    members = [each for node in network.nodes for each in node.router.mesh_peers("t")]
    return sum(each not in network.by_peer for each in members) / len(members)


@pytest.mark.parametrize("flood", [True, False])
def test_with_scores_every_honest_message_reaches_every_honest_node(flood):
    network = besieged(SCORED, flood=flood)

    for node in network.nodes:
        own = MESSAGES // 2 if node in network.nodes[:2] else 0
        assert len(node.delivered) == len(set(node.delivered)) == MESSAGES - own
    assert share_of_sybils(network) < 0.1


def test_without_scores_the_sybils_stay_in_every_mesh():
    network = besieged(UNSCORED, flood=False)

    assert share_of_sybils(network) > 0.4
