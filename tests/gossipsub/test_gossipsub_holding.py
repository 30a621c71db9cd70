"""Which connections gossipsub keeps open, and where peers are."""

from __future__ import annotations

from itertools import count

import anyio
import pytest

from peerloom import ConfigError, Multiaddr, NetworkConfig
from peerloom.plugin import ConnectionInfo, Role
from peerloom.testing import Nodes, SimulatedNetwork, no_leaks, until
from peerloom_gossipsub import Gossipsub, GossipsubConfig, ScoreParams
from peerloom_gossipsub._actions import Verdict, Version
from peerloom_gossipsub._holding import FRESH_SECONDS, Holding
from peerloom_gossipsub._ips import IpTable
from peerloom_gossipsub._plugin import plugin
from peerloom_gossipsub._wishes import Wishes
from tests.gossipsub.alone import Alone
from tests.gossipsub.peers import peer
from tests.gossipsub.simulated import simulate

NUMBERS = count(1)


def connection(address, *, relayed=False):
    return ConnectionInfo(
        id=next(NUMBERS),
        peer=peer(1),
        role=Role.DIALER,
        local_address=Multiaddr("/ip4/192.0.2.1/tcp/1"),
        remote_address=Multiaddr(address),
        relayed=relayed,
        security=None,
        muxer=None,
        limits=None,
        opened_at=0.0,
    )


def holding_of(alone, explicit=(), most=64, waiting=0):
    config = GossipsubConfig(explicit_peers=[peer(each) for each in explicit], max_held_peers=most)
    wishes = Wishes()
    wishes.waiting = waiting
    return Holding(alone.router, wishes, config, lambda: alone.now)


def held(alone, numbers, **settings):
    holding = holding_of(alone, **settings)
    return {each for each in numbers if peer(each) in holding}


def test_of_those_that_share_a_topic_a_bounded_number_is_held():
    alone = Alone()
    alone.subscribe()
    alone.peers(*range(100))
    mesh = {number for number in range(100) if peer(number) in alone.mesh()}

    assert held(alone, range(100), most=0) == mesh
    assert len(held(alone, range(100), most=20)) == 20
    assert mesh < held(alone, range(100), most=20)


def test_explicit_peers_are_held_and_those_that_share_nothing_are_not():
    alone = Alone(explicit_peers=[peer(5)])
    alone.subscribe()
    alone.peers(1, 2, 5)
    alone.peers(3, topic="another")
    alone.router.connect(peer(4), Version.V1_2, is_outbound=True)

    assert held(alone, range(6), explicit=[5]) == {1, 2, 5}
    assert held(alone, range(6), explicit=[5], most=0) >= {5}


def test_peers_that_are_published_to_are_held_for_a_minute_with_flooding_and_without():
    for flooding in (True, False):
        alone = Alone(flood_publish=flooding)
        alone.peers(1, 2)
        alone.peers(3, topic="another")
        assert held(alone, range(4)) == set()
        alone.publish()
        assert held(alone, range(4)) == {1, 2}
        alone.beat(61)
        assert held(alone, range(4)) == set()


def test_who_brings_messages_is_held_for_a_minute():
    alone = Alone()
    alone.subscribe()
    alone.peers(1)
    alone.peers(2, 3, topic=None)
    alone.accept(alone.bring(2))
    alone.accept(alone.bring(3, b"bad"), Verdict.REJECT)
    assert held(alone, range(4)) == {1, 2}
    alone.beat(61)
    assert held(alone, range(4)) == {1}


def test_who_may_still_subscribe_is_held_while_that_is_waited_for_or_a_topic_has_nobody():
    alone = Alone()
    alone.peers(1, 2, topic=None)
    assert held(alone, range(3)) == set()
    assert held(alone, range(3), waiting=1) == {1, 2}
    assert len(held(alone, range(3), waiting=1, most=1)) == 1
    alone.subscribe()
    assert held(alone, range(3)) == {1, 2}
    alone.peers(1)
    assert held(alone, range(3)) == {1}


def test_who_is_held_is_chosen_anew_after_a_while():
    alone = Alone()
    holding = holding_of(alone)
    alone.subscribe()
    assert peer(1) not in holding
    alone.peers(1)
    assert peer(1) not in holding
    alone.now += FRESH_SECONDS
    assert peer(1) in holding


def test_connections_beyond_the_bound_are_closed_and_messages_still_reach_all():
    degrees = {"wanted": 2, "low": 2, "high": 3, "score": 1, "out": 1, "lazy": 3}

    async def scenario(network):
        settings = {"gossipsub": {"max_held_peers": 4, "degrees": degrees}}
        nodes = [
            await network.node(
                f"node-{number}", plugins=[plugin], config=NetworkConfig(settings=settings)
            ).start()
            for number in range(9)
        ]
        clients = [Gossipsub(node.client) for node in nodes]
        for number, node in enumerate(nodes):
            await clients[number].subscribe("news")
            for other in nodes[:number]:
                await node.dial(other)
        for client in clients:
            await client.wait_for_peers("news", 8)
        await anyio.sleep(120)
        left = [len(await client.subscribed_peers("news")) for client in clients]
        return left, (await clients[0].publish("news", b"still there?")).sent

    left, sent = SimulatedNetwork(seed=64).run(scenario)
    assert max(left) < 8
    assert min(left) >= 1
    assert sent == left[0]


def test_a_publisher_that_does_not_subscribe_keeps_its_subscriber(anyio_backend_name):
    async def scenario(network):
        ann, ben = [await network.node(plugins=["gossipsub"]).start() for _ in range(2)]
        at_ann, at_ben = Gossipsub(ann.client), Gossipsub(ben.client)
        await at_ben.subscribe("news")
        await ann.dial(ben)
        await at_ann.wait_for_peers("news")
        for number in range(5):
            assert (await at_ann.publish("news", bytes([number]))).sent == 1
            await anyio.sleep(50)
        await anyio.sleep(120)
        assert await ann.client.connections() == ()

    simulate(anyio_backend_name, scenario)


def test_who_waits_for_peers_does_not_wait_in_vain(anyio_backend_name):
    async def scenario(network):
        ann, ben = [await network.node(plugins=["gossipsub"]).start() for _ in range(2)]
        at_ann, at_ben = Gossipsub(ann.client), Gossipsub(ben.client)
        await ann.dial(ben)
        await at_ben.subscribe("weather")

        async def subscribe_later():
            await anyio.sleep(300)
            await at_ben.subscribe("news")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subscribe_later)
            assert await at_ann.wait_for_peers("news") == (ben.peer_id,)

    simulate(anyio_backend_name, scenario)


@pytest.mark.parametrize(
    ("address", "places"),
    [
        ("/ip4/198.51.100.7/tcp/4001", {"198.51.100.7"}),
        ("/ip6/2001:db8:1:2:3::4/udp/4001/quic-v1", {"2001:db8:1:2:3::4", "2001:db8:1:2::/64"}),
        ("/ip4/10.1.2.3/tcp/4001", set()),
        ("/dns4/example.org/tcp/4001", set()),
        ("/memory/1", set()),
    ],
)
def test_peers_are_where_their_connections_come_from(address, places):
    assert IpTable(["10.0.0.0/8"]).of([connection(address)]) == places


def test_a_relay_is_not_where_the_peer_is():
    both = [
        connection("/ip4/198.51.100.7/tcp/1", relayed=True),
        connection("/ip4/198.51.100.8/tcp/1"),
    ]
    assert IpTable([]).of(both) == {"198.51.100.8"}


def test_peers_that_crowd_at_one_ip_lose_score_until_they_leave_it():
    crowding = ScoreParams(ip_colocation_weight=-1, ip_colocation_threshold=2)
    alone = Alone(score=crowding)
    for number in range(5):
        alone.router.connect(peer(number), Version.V1_2, is_outbound=False, ips=["198.51.100.7"])
    assert alone.score(0) == -9
    alone.router.seen_at(peer(4), ["198.51.100.8"])
    assert alone.score(4) == 0
    assert alone.score(0) == -4


@pytest.mark.parametrize(("allowed", "meshed"), [((), 0), (("127.0.0.0/8",), 2)])
async def test_nodes_know_where_their_peers_are_and_where_that_does_not_count(allowed, meshed):
    score = {
        "ip_colocation_weight": -1.0,
        "ip_colocation_threshold": 1,
        "ip_colocation_allowed": allowed,
    }
    async with no_leaks(), Nodes() as nodes:
        settings = {"gossipsub": {"score": score, "heartbeat_seconds": 0.1}}
        [crowded] = await nodes(settings=settings)
        client = Gossipsub(crowded.client)
        await client.subscribe("news")
        for guest in await nodes(2):
            await Gossipsub(guest.client).subscribe("news")
            await nodes.connect(guest, crowded)
        await client.wait_for_peers("news", 2)

        await until(client.mesh_stats, lambda stats: stats == {"news": meshed})


def test_a_network_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"10\.0\.0\.0/8"):
        GossipsubConfig(score=ScoreParams(ip_colocation_allowed=["10.0.0.1/8"]))
