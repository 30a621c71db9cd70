"""A simulated network of its own: ``python -m benchmarks.workers.simulating NODES MINUTES``.

Every node has ten connections, identifies its peers, and pings each of them every 60 s, from both
ends, for so many virtual minutes. Prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final

import anyio

from peerloom import NetworkConfig
from peerloom.testing import SimulatedNetwork

if TYPE_CHECKING:
    from random import Random

    from peerloom.testing import SimulatedNode

EACH_DIALS: Final = 5  # so that each has ten connections
PING_SECONDS: Final = 60.0
SETTLE_SECONDS: Final = 5.0  # until the last of them has been identified
_KIB: Final = 1024
_CONFIG: Final = NetworkConfig(
    keep_alive_seconds=1e9, settings={"ping": {"interval_seconds": PING_SECONDS}}
)


def latency(chance: Random) -> float:
    """From one room to the other side of the earth."""
    return chance.uniform(0.005, 0.15)


async def _scenario(network: SimulatedNetwork, count: int, minutes: int) -> dict[str, float]:
    begun, used = perf_counter(), process_time()
    nodes = await network.start(count, config=_CONFIG)
    ways = network.chance("ways").sample(range(1, (count + 1) // 2), EACH_DIALS)

    async def dial(index: int, node: SimulatedNode) -> None:
        for way in ways:
            await node.dial(nodes[(index + way) % count])

    async with anyio.create_task_group() as tasks:
        for index, node in enumerate(nodes):
            tasks.start_soon(dial, index, node)
    await anyio.sleep(SETTLE_SECONDS)
    stood = perf_counter()
    await anyio.sleep(minutes * 60)
    ended, used = perf_counter(), process_time() - used
    for node in nodes:
        assert len(await node.client.connections()) == 2 * EACH_DIALS
    resident_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "start": stood - begun,
        "seconds": ended - begun,
        "memory-mib": resident_kib / _KIB,
        "processor-seconds": used,
    }


if __name__ == "__main__":
    simulated = SimulatedNetwork(latency=latency, record=())
    print(json.dumps(simulated.run(_scenario, *map(int, sys.argv[1:]))))
