"""How many round trips there are until the first answer on a stream to a peer not connected."""

from __future__ import annotations

from typing import Final, Literal

import anyio

from peerloom import IdentifyReceived, NetworkConfig, Node
from tests.core.nodes import Serving, echo

from .clock import VirtualRuntime, run_virtually
from .network import OnSimulatedNetwork, SimulatedNetwork

Way = Literal["tls", "noise", "quic"]

ROUND_TRIP_SECONDS: Final = 0.0625  # a power of two, so that sums are exact
_ADDRESS: Final = "/memory/1"
_PROTOCOL: Final = "/echo/1"


def count_round_trips(backend: str, way: Way, *, known: bool) -> float:
    """From `open_stream` to the first byte of an echo's answer.

    A known peer has been connected and identified before. To an unknown one the stream is opened
    `optimistic`: an echo's first bytes do no harm.
    """
    return run_virtually(backend, _count, way, known)


async def _count(way: Way, known: bool) -> float:  # noqa: FBT001 - anyio.run passes no names
    network = SimulatedNetwork(ROUND_TRIP_SECONDS)
    serving, asking = (_node(network, way, seed) for seed in range(2))
    async with serving, asking:
        await asking.client.add_peer_addresses(serving.peer_id, [_ADDRESS])
        if known:
            await _become_known(asking, serving)
        began_at = anyio.current_time()
        await _first_answer(asking, serving, optimistic=not known)
        return (anyio.current_time() - began_at) / ROUND_TRIP_SECONDS


async def _become_known(asking: Node, serving: Node) -> None:
    async with asking.client.events(IdentifyReceived) as identified:
        await asking.client.dial(serving.peer_id)
        await anext(identified)
    await asking.client.disconnect(serving.peer_id)


async def _first_answer(asking: Node, serving: Node, *, optimistic: bool) -> None:
    stream = await asking.client.open_stream(serving.peer_id, _PROTOCOL, optimistic=optimistic)
    await stream.send(b"?")
    assert await stream.receive() == b"?"
    stream.reset()


def _node(network: SimulatedNetwork, way: Way, seed: int) -> Node:
    quic = way == "quic"
    return Node(
        NetworkConfig(
            listen=[_ADDRESS] if seed == 0 else [],
            security=["tls" if quic else way],
            strict=True,
        ),
        plugins=[Serving(echo=echo), OnSimulatedNetwork(network, quic=quic)],
        runtime=VirtualRuntime(seed),
    )
