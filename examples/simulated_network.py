"""Testing a protocol on a network that is slow, breaks and heals, in no time, the same each time.

    pytest examples/simulated_network.py

`SimulatedNetwork` runs real nodes in one process, in virtual time: waiting takes none, and one
seed decides everything that is left to chance. What is tested is the plugin of echo_plugin.py; a
test that fails names its seed, by which it fails again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from examples.echo_plugin import Echo, Echoed, EchoPlugin
from peerloom import NegotiationFailed, PeerDisconnected
from peerloom.testing import SimulatedNetwork

if TYPE_CHECKING:
    from peerloom.testing import SimulatedNode

ROUND_TRIP = 0.2
MINUTE = 60


def network() -> SimulatedNetwork:
    """One on which everything takes a tenth of a second one way."""
    return SimulatedNetwork(seed=1, latency=ROUND_TRIP / 2)


async def two_nodes(net: SimulatedNetwork) -> tuple[SimulatedNode, SimulatedNode]:
    """Two nodes with the plugin, connected. A class makes a plugin for each."""
    ann, ben = await net.start(2, plugins=[EchoPlugin])
    await ann.dial(ben)
    return ann, ben


def test_an_answer_takes_two_round_trips() -> None:
    async def scenario(net: SimulatedNetwork) -> float:
        ann, ben = await two_nodes(net)
        began_at = net.now
        assert await ann.client.call(Echo(ben.peer_id, b"hello")) == b"hello"
        return net.now - began_at

    seconds = network().run(scenario)

    # One to agree on the protocol, one to speak it; time goes by microseconds.
    assert seconds == pytest.approx(2 * ROUND_TRIP, abs=1e-3)


def test_an_answer_comes_late_when_the_network_heals_late() -> None:
    async def scenario(net: SimulatedNetwork) -> float:
        ann, ben = await two_nodes(net)
        net.partition([ann], [ben])
        began_at = net.now
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ann.client.call, Echo(ben.peer_id, b"hello"))
            await anyio.sleep(5)
            net.heal()
        return net.now - began_at

    assert 5 < network().run(scenario) < 10


def test_nobody_waits_for_ever_for_who_has_gone() -> None:
    async def scenario(net: SimulatedNetwork) -> None:
        ann, ben = await two_nodes(net)
        async with ann.events(PeerDisconnected) as endings:
            await ben.crash()  # silently, as when power fails
            with pytest.raises(NegotiationFailed, match="within 10 s"):
                await ann.client.call(Echo(ben.peer_id, b"hello"))
            with anyio.fail_after(2 * MINUTE):
                await anext(endings)  # the ping has noticed

    network().run(scenario)


def test_who_comes_back_is_the_same_and_answers() -> None:
    async def scenario(net: SimulatedNetwork) -> bytes:
        ann, ben = await two_nodes(net)
        async with ann.events(PeerDisconnected) as endings:
            await ben.crash(silently=False)  # its connections are reset, so this is noticed
            await anext(endings)
        await ben.restart()
        await ann.dial(ben)  # by the same peer id
        return await ann.client.call(Echo(ben.peer_id, b"again"))

    assert network().run(scenario) == b"again"


def test_the_same_seed_does_the_same_again() -> None:
    async def scenario(net: SimulatedNetwork) -> None:
        ann, ben = await two_nodes(net)
        async with ben.events(Echoed) as echoed:
            await ann.client.call(Echo(ben.peer_id, b"hello"))
            await anext(echoed)

    def log(seed: int) -> str:
        net = SimulatedNetwork(seed, latency=lambda chance: chance.uniform(0.01, 0.2))
        net.run(scenario)
        return str(net.log)

    assert "Echoed peer=node-1 size=5" in log(1)
    assert log(1) == log(1) != log(2)
