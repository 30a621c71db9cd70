"""Nodes on a network that breaks and heals, in virtual time."""

from __future__ import annotations

import pytest

from peerloom import CommandTimedOut, PeerDisconnected
from peerloom.testing import SimulatedNetwork
from peerloom_counter import Counters
from peerloom_counter._plugin import plugin


def test_everybody_sees_the_right_value_after_a_partition() -> None:
    SimulatedNetwork(seed=7, latency=0.1).run(half_of_them_lose_sight_of_it)


async def half_of_them_lose_sight_of_it(network: SimulatedNetwork) -> None:
    keeper, *others = await network.start(20, plugins=[plugin])
    near, far = others[:9], others[9:]
    for node in others:
        await node.dial(keeper)
        await Counters(node.client).increment(keeper.peer_id, "visits")

    async with keeper.events(PeerDisconnected) as lost:
        network.partition(far)
        for _ in far:
            await anext(lost)
    for node in near:
        await Counters(node.client).increment(keeper.peer_id, "visits")
    for node in far:
        with pytest.raises(CommandTimedOut):
            await Counters(node.client).increment(keeper.peer_id, "visits")

    network.heal()
    for node in others:
        assert await Counters(node.client).value(keeper.peer_id, "visits") == 19 + 9


def test_a_number_outlives_its_keeper() -> None:
    SimulatedNetwork(seed=7).run(the_keeper_comes_back)


async def the_keeper_comes_back(network: SimulatedNetwork) -> None:
    keeper, ann = await network.start(2, plugins=[plugin])
    await ann.dial(keeper)
    await Counters(ann.client).increment(keeper.peer_id, "visits")

    await keeper.stop()
    await keeper.restart()
    await keeper.dial(ann)

    assert await Counters(ann.client).increment(keeper.peer_id, "visits") == 2
