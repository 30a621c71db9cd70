"""A simulated network: ``python -m benchmarks.workers.gossip_simulating NODES DEGREES``.

Every node has ten connections and is subscribed to one topic; nodes chosen by chance publish, one
after another. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from time import process_time
from typing import TYPE_CHECKING, Final

import anyio

from peerloom import NetworkConfig
from peerloom.testing import SimulatedNetwork
from peerloom_gossipsub import Degrees, Gossipsub, Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peerloom.testing import SimulatedNode

SEED: Final = 7
ROUND_TRIP_SECONDS: Final = 0.1
EACH_DIALS: Final = 5  # so that each has ten connections on average
MESSAGES: Final = 20
GAP_SECONDS: Final = 0.25
SETTLE_SECONDS: Final = 10.0  # as many heartbeats
DRAIN_SECONDS: Final = 5.0
MESSAGE_BYTES: Final = 1024
TOPIC: Final = "bench"
DEGREES: Final[Mapping[str, Degrees]] = {
    "6-5-12": Degrees(),
    "4-2-8": Degrees(wanted=4, low=2, high=8, score=3, out=1, lazy=4),
}


class _Heard:
    """What one node has heard, and when."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.times: dict[int, float] = {}

    async def run(self) -> None:
        async with self.node.client.events(Message) as messages:
            await Gossipsub(self.node.client).subscribe(TOPIC)
            async for each in messages:
                if not isinstance(each, Message):
                    raise RuntimeError("the reader is too slow")  # noqa: TRY004 - it is `Lagged`
                number = int.from_bytes(each.data[:8], "big")
                if number in self.times:
                    raise RuntimeError(f"message {number} came twice")
                self.times[number] = anyio.current_time()


async def _scenario(network: SimulatedNetwork, count: int, degrees: Degrees) -> dict[str, float]:
    used = process_time()
    settings = {"ping": {"interval_seconds": 60.0}, "gossipsub": {"degrees": degrees}}
    config = NetworkConfig(keep_alive_seconds=1e9, settings=settings)
    nodes = await network.start(count, config=config, plugins=["gossipsub"])
    heard = [_Heard(node) for node in nodes]
    chance = network.chance("neighbours")
    async with anyio.create_task_group() as tasks:
        for each in heard:
            tasks.start_soon(each.run)
        async with anyio.create_task_group() as dials:
            for node in nodes:
                others = [each for each in chance.sample(nodes, EACH_DIALS + 1) if each is not node]
                dials.start_soon(_dial, node, others[:EACH_DIALS])
        await anyio.sleep(SETTLE_SECONDS)
        before = await _copies(nodes)
        begun = await _publish(network, nodes)
        await anyio.sleep(DRAIN_SECONDS)
        copies = await _copies(nodes) - before
        tasks.cancel_scope.cancel()
    taken = sorted(when - begun[number] for each in heard for number, when in each.times.items())
    wanted = MESSAGES * (count - 1)
    return {
        "delivered-percent": 100 * len(taken) / wanted,
        "p50": _percentile(taken, 50),
        "p99": _percentile(taken, 99),
        "max": taken[-1] * 1000,
        "copies": copies / wanted,
        "processor-seconds": process_time() - used,
    }


async def _dial(node: SimulatedNode, others: Sequence[SimulatedNode]) -> None:
    for other in others:
        await node.dial(other)


async def _publish(network: SimulatedNetwork, nodes: list[SimulatedNode]) -> dict[int, float]:
    begun = {}
    for number, node in enumerate(network.chance("authors").sample(nodes, MESSAGES)):
        begun[number] = anyio.current_time()
        data = number.to_bytes(8, "big") + bytes(MESSAGE_BYTES - 8)
        await Gossipsub(node.client).publish(TOPIC, data)
        await anyio.sleep(GAP_SECONDS)
    return begun


async def _copies(nodes: list[SimulatedNode]) -> int:
    """How many messages have come to all nodes, those included that they had already."""
    total = 0
    for node in nodes:
        counts = (await node.client.status())["plugins"]["gossipsub"]["report"]["counts"]
        total += counts.get("message accept", 0) + counts.get("message repeated", 0)
    return total


def _percentile(seconds: list[float], percent: int) -> float:
    return seconds[(len(seconds) - 1) * percent // 100] * 1000


if __name__ == "__main__":
    simulated = SimulatedNetwork(seed=SEED, latency=ROUND_TRIP_SECONDS / 2, record=())
    print(json.dumps(simulated.run(_scenario, int(sys.argv[1]), DEGREES[sys.argv[2]])))
