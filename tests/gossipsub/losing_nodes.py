"""A third of the nodes dies in the middle of many messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import anyio

from tests.gossipsub.crowd import crowd, graph

if TYPE_CHECKING:
    from peerloom.testing import SimulatedNetwork

NOTICED_SECONDS = 60.0  # a machine that says no more is noticed by pings


async def lose_a_third(
    network: SimulatedNetwork, count: int, messages: int, what: Literal["machine", "process"]
) -> None:
    """Every survivor hears what survivors publish, once."""
    async with crowd(network, count, flood_publish=False) as them:
        await them.dial_all(graph(network, count, 5))
        await anyio.sleep(3)
        dying = network.chance("dying").sample(range(count), count // 3)
        alive = [number for number in range(count) if number not in dying]
        for number in range(messages):
            publisher = number % count
            if number >= messages // 2 and publisher in dying:
                if them.nodes[publisher].running:
                    await them.nodes[publisher].crash(silently=what == "machine")
            else:
                await them.publish(publisher)
            await anyio.sleep(0.02)
        await anyio.sleep(NOTICED_SECONDS)

        delays = them.delays(alive, alive)
        assert not any(them.nodes[number].running for number in dying)
        assert delays.count(None) == 0
        assert len(delays) >= messages // count * len(alive) * (len(alive) - 1)
        assert not them.heard_twice()
