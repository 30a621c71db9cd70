"""Many messages, and what must not keep them from anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import evolve

from peerloom_gossipsub import Degrees, ScoreParams
from tests.gossipsub.bursts import burst
from tests.gossipsub.crowd import Crowd, crowd
from tests.gossipsub.losing_nodes import lose_a_third
from tests.gossipsub.simulated import simulate
from tests.gossipsub.sybils import let_loose
from tests.gossipsub.test_gossipsub_sybils import HONEST, SCORED, SYBILS, UNSCORED

if TYPE_CHECKING:
    from peerloom.testing import SimulatedNetwork

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # trio: fewer, in tests/gossipsub
async def test_ten_thousand_messages_at_once_reach_everybody_once() -> None:
    await burst(10, 10_000)


@pytest.mark.timeout(300)
def test_survivors_get_all_when_ten_of_thirty_nodes_die_amid_a_thousand_messages() -> None:
    simulate("trio", lose_a_third, 30, 1000, "machine")


SECONDS = 45
MESH_SECONDS = 1.0  # a few hops; by gossip it takes a heartbeat and more
AROUND_EACH = 3  # that it has dialled; as many have dialled it
# No help from anything but the mesh: no flood, little gossip, no room for those we have dialled;
# and who was refused may soon try again.
HARD: dict[str, Any] = {
    "flood_publish": False,
    "degrees": Degrees(wanted=4, low=3, high=6, score=2, out=0, lazy=2),
    "gossip_factor": 0.05,
    "prune_backoff_seconds": 5.0,
}
OVER_LATENCY = ScoreParams(
    default_topic=evolve(SCORED.default_topic, mesh_deliveries_window_seconds=1.0)
)


@pytest.mark.timeout(300)
def test_with_scores_sybils_keep_no_honest_message_from_anybody() -> None:
    delays = simulate("trio", beleaguered, OVER_LATENCY)

    assert delays.count(None) == 0
    assert max(filter(None, delays)) < MESH_SECONDS


@pytest.mark.timeout(300)
def test_without_scores_the_same_sybils_keep_many() -> None:
    delays = simulate("trio", beleaguered, UNSCORED)

    assert delays.count(None) > len(delays) // 100


async def beleaguered(network: SimulatedNetwork, score: ScoreParams) -> list[float | None]:
    """Sybils take every place in a mesh that is free, and honest links break one after another."""
    pairs = [(number, (number + step) % HONEST) for number in range(HONEST) for step in (1, 2, 5)]
    async with crowd(network, HONEST, score=score, **HARD) as honest:
        await honest.dial_all(pairs)
        await anyio.sleep(0.5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(let_loose, network, tasks, SYBILS, honest.nodes)
            tasks.start_soon(break_links, network, honest, pairs)
            for _ in range(SECONDS):
                for publisher in (0, 7, 13):
                    await honest.publish(publisher)
                await anyio.sleep(1)
            await anyio.sleep(10)
            tasks.cancel_scope.cancel()
        assert not honest.heard_twice()
        return honest.delays(range(HONEST), range(HONEST))


async def break_links(
    network: SimulatedNetwork, honest: Crowd, pairs: list[tuple[int, int]]
) -> None:
    """Two a second, each dialled again after a second: nobody has less than four of six at once."""
    await anyio.sleep(5)
    order = network.chance("links").sample(pairs, len(pairs))
    while True:
        for number in range(0, len(order), 2):
            for one, other in order[number : number + 2]:
                network.cut(honest.nodes[one], honest.nodes[other])
            await anyio.sleep(1)
            await honest.dial_all(order[number : number + 2])
