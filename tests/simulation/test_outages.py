"""Partitions, cuts and crashes of a simulated network, and what nodes notice of them."""

from __future__ import annotations

import anyio
import pytest

from peerloom import (
    DialFailed,
    NodeClosed,
    PeerConnected,
    PeerDisconnected,
)
from peerloom.testing import SimulatedNetwork

from .sink import NEVER_IDLE, SINK, Sink

# -- connections


def test_partition_holds_what_is_sent_until_it_heals() -> None:
    async def scenario(network: SimulatedNetwork) -> tuple[float, int]:
        ann, ben = await network.start(2, plugins=[Sink], config=NEVER_IDLE)
        await ann.dial(ben)
        stream = await ann.client.open_stream(ben.peer_id, SINK)
        network.partition([ann])
        began_at = network.now
        await stream.send(b"held")
        await stream.send_eof()
        with anyio.move_on_after(5):
            await stream.receive()
            raise AssertionError("it passed the partition")
        network.heal()
        await stream.receive()
        return network.now - began_at, len(await ann.client.connections())

    took, connections = SimulatedNetwork(latency=0.125).run(scenario)
    assert took == 5.25
    assert connections == 1


def test_partition_is_noticed_by_timeouts_and_dials_fail_until_it_heals() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann, ben, cid = await network.start(3, config=NEVER_IDLE)
        for other in (ben, cid):
            await ann.dial(other)
        network.partition([ann, cid], [ben])
        began_at = network.now
        async with ann.events(PeerDisconnected) as ended:
            assert (await anext(ended)).peer == ben.peer_id
        took = network.now - began_at
        with pytest.raises(DialFailed):
            await ann.dial(ben)
        await ann.client.ping(cid.peer_id)
        network.heal()
        await ann.dial(ben)
        return took

    assert SimulatedNetwork().run(scenario) > 30


def test_cut_breaks_every_link_between_two_at_once() -> None:
    async def scenario(network: SimulatedNetwork) -> list[str]:
        ann, ben, cid = await network.start(3, config=NEVER_IDLE)
        for other in (ben, cid):
            await ann.dial(other)
        began_at = network.now
        async with ann.events(PeerDisconnected) as ours, ben.events(PeerDisconnected) as theirs:
            assert network.cut(ann, ben) == 1
            assert (await anext(ours)).peer == ben.peer_id
            assert (await anext(theirs)).peer == ann.peer_id
        assert network.now == began_at
        return [network.log.names[peer] for peer in await ann.client.peers()]

    assert SimulatedNetwork().run(scenario) == ["node-3"]


def test_links_live_as_long_as_is_drawn() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann, ben = await network.start(2, config=NEVER_IDLE)
        async with ann.events(PeerConnected, PeerDisconnected) as events:
            await ann.dial(ben)
            began_at = (await anext(events)).connection.opened_at
            assert isinstance(await anext(events), PeerDisconnected)
            return network.now - began_at

    took = SimulatedNetwork(latency=0.01, link_lifetime=100.0).run(scenario)
    assert 99 < took < 101


# -- crashes


@pytest.mark.parametrize("listen", ["/tcp/4001", "/udp/4001/quic-v1"])
def test_crashed_machine_is_noticed_by_timeouts_only(listen: str) -> None:
    async def scenario(network: SimulatedNetwork) -> list[float]:
        ann, ben = await network.start(2, config=NEVER_IDLE, listen=[listen])
        await ann.dial(ben)
        address = ben.addresses[0]
        async with ann.events(PeerDisconnected) as ended:
            await ben.crash()
            took = [-network.now]
            await anext(ended)
            took[0] += network.now
        assert not ben.running
        with pytest.raises(NodeClosed):
            _ = ben.client
        took.append(-network.now)
        with pytest.raises(DialFailed):
            await ann.client.dial(address)
        took[1] += network.now
        return took

    lost, refused = SimulatedNetwork(latency=0.125).run(scenario)
    assert lost >= 30
    assert refused == pytest.approx(10)


def test_crashed_process_is_noticed_by_its_machines_resets() -> None:
    async def scenario(network: SimulatedNetwork) -> list[float]:
        ann, ben = await network.start(2, config=NEVER_IDLE)
        await ann.dial(ben)
        address, began_at = ben.addresses[0], network.now
        async with ann.events(PeerDisconnected) as ended:
            await ben.crash(silently=False)
            await anext(ended)
        lost_at = network.now
        with pytest.raises(DialFailed, match="nobody listens there"):
            await ann.client.dial(address)
        return [lost_at - began_at, network.now - lost_at]

    assert SimulatedNetwork(latency=0.125).run(scenario) == [0.125, 0.25]


def test_restarted_node_has_its_identity_and_store() -> None:
    async def scenario(network: SimulatedNetwork) -> list[int]:
        sink = Sink()
        ann = await network.node("ann").start()
        ben = await network.node("ben", plugins=[sink]).start()
        before, starts = ben.addresses, [sink.starts]
        await ben.crash()
        await ben.start()
        starts.append(sink.starts)
        await ben.restart()
        starts.append(sink.starts)
        assert ben.addresses == before
        await ann.dial(ben)
        return starts

    assert SimulatedNetwork().run(scenario) == [1, 2, 3]


def test_peer_of_a_crashed_node_hears_a_reset_once_it_is_up_again() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann, ben = await network.start(2, config=NEVER_IDLE)
        await ann.dial(ben)
        async with ann.events(PeerDisconnected) as ended:
            await ben.crash()
            await ben.start()
            began_at = network.now
            await anext(ended)
            return network.now - began_at

    assert SimulatedNetwork().run(scenario) < 16  # with the next ping


def test_crashed_node_says_no_more() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ann, ben = await network.start(2)
        await ann.dial(ben)
        await ben.crash()

    network = SimulatedNetwork()
    network.run(scenario)
    assert network.log.of("node-2")[-1].endswith("node-2 crashes")
