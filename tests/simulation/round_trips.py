"""How many round trips there are until the first answer on a stream to a peer not connected."""

from __future__ import annotations

from typing import Final, Literal

from peerloom import IdentifyReceived, NetworkConfig
from peerloom.testing import SimulatedNetwork, SimulatedNode
from tests.core.nodes import Serving, echo

from .clock import run_on_asyncio

Way = Literal["tls", "noise", "quic"]

ROUND_TRIP_SECONDS: Final = 0.0625  # a power of two, so that sums are exact
_PROTOCOL: Final = "/echo/1"


def count_round_trips(backend: str, way: Way, *, known: bool) -> float:
    """From `open_stream` to the first byte of an echo's answer.

    A known peer has been connected and identified before. To an unknown one the stream is opened
    `optimistic`: an echo's first bytes do no harm.
    """
    network = SimulatedNetwork(latency=ROUND_TRIP_SECONDS / 2, security="real")
    if backend == "trio":
        return network.run(_count, way, known)
    return run_on_asyncio(network, _count, way, known)


async def _count(network: SimulatedNetwork, way: Way, known: bool) -> float:  # noqa: FBT001
    serving, asking = [await _node(network, way).start() for _ in range(2)]
    await asking.client.add_peer_addresses(serving.peer_id, serving.addresses)
    if known:
        await _become_known(asking, serving)
    began_at = network.now
    await _first_answer(asking, serving, optimistic=not known)
    return (network.now - began_at) / ROUND_TRIP_SECONDS


async def _become_known(asking: SimulatedNode, serving: SimulatedNode) -> None:
    async with asking.events(IdentifyReceived) as identified:
        await asking.client.dial(serving.peer_id)
        await anext(identified)
    await asking.client.disconnect(serving.peer_id)


async def _first_answer(asking: SimulatedNode, serving: SimulatedNode, *, optimistic: bool) -> None:
    stream = await asking.client.open_stream(serving.peer_id, _PROTOCOL, optimistic=optimistic)
    await stream.send(b"?")
    assert await stream.receive() == b"?"
    stream.reset()


def _node(network: SimulatedNetwork, way: Way) -> SimulatedNode:
    quic = way == "quic"
    return network.node(
        config=NetworkConfig(security=["tls" if quic else way], strict=True),
        listen=["/udp/4001/quic-v1" if quic else "/tcp/4001"],
        plugins=[lambda: Serving(echo=echo)],
    )
