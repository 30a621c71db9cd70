"""QUIC connections on which nobody says anything for long, in virtual time."""

from __future__ import annotations

import anyio
import pytest
from multiaddr import Multiaddr

from peerloom._transports import QuicSettings, QuicTransport
from peerloom.testing import SimulatedNetwork
from peerloom.testing._simulated._runtime import SimulatedRuntime
from tests.core.quic_kit import ENGINES, Ends, connect, engines
from tests.core.security_kit import ALICE, BOB

from .clock import run_on_asyncio

SETTINGS = QuicSettings()
LONG_SECONDS = 20 * SETTINGS.idle_timeout_seconds


@pytest.mark.parametrize("engine", ENGINES)
def test_a_silent_stream_lives_longer_than_the_idle_timeout(anyio_backend_name, engine) -> None:
    network = SimulatedNetwork(security="real")
    if anyio_backend_name == "trio":
        network.run(_be_silent, engine)
    else:
        run_on_asyncio(network, _be_silent, engine)


async def _be_silent(network, engine):
    async with anyio.create_task_group() as tasks:
        dialing, listening = (
            _transport(network, tasks, engine, identity) for identity in (ALICE, BOB)
        )
        address = Multiaddr("/ip4/0.0.0.0/udp/4001/quic-v1")
        async with listening.listen(address) as listener:
            ends = Ends(dialing, listening, listener, *await connect(dialing, listener))
            for link in (ends.dialer, ends.accepter):
                tasks.start_soon(ends.run, link)
            here, there = await ends.stream()
            await anyio.sleep(LONG_SECONDS)
            await here.send(b"still here")
            with anyio.fail_after(5):
                assert await there.receive() == b"still here"
            assert not ends.outcomes
        tasks.cancel_scope.cancel()


def _transport(network, tasks, engine, identity):
    """One on a host of its own."""
    node = network.node()
    node._host.up = True
    runtime = SimulatedRuntime(network.chance(node.name), lambda: network.now, node.wall_time)
    return QuicTransport(
        *(identity, runtime, tasks.start_soon, SETTINGS, engines(engine, identity, SETTINGS)),
        bind=node._foundation().bind_udp,
    )
