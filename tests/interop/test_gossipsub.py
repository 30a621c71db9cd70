"""Every row about gossipsub with every foreign peer, in both directions."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import anyio
import pytest

from .cases import Case, cases
from .gossip import GossipRow, cast_of
from .gossip_rows import GOSSIP
from .not_offered import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_SECONDS = 55
LONG_LIMIT_SECONDS = 150
# All cells of a row that waits for most of its time, over both transports, in a direction.
LONG_CASES = [
    [case for case in cases(GOSSIP) if case.scenario.play is play and case.direction == direction]
    for play, _ in groupby([row for row in GOSSIP if row.is_long], lambda row: row.play)
    for direction in DIRECTIONS
]


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of the case, or of all these cases."""
    params = request.node.callspec.params
    first: Case[GossipRow] = params["case"] if "case" in params else params["together"][0]
    return first.backend


@pytest.mark.parametrize("case", cases([row for row in GOSSIP if not row.is_long]), ids=str)
async def test_gossipsub(case: Case[GossipRow]) -> None:
    with anyio.fail_after(LIMIT_SECONDS):
        await play(case)


@pytest.mark.timeout(LONG_LIMIT_SECONDS + LIMIT_SECONDS)
@pytest.mark.parametrize("together", LONG_CASES, ids=lambda together: str(together[0]))
async def test_gossipsub_side_by_side(together: Sequence[Case[GossipRow]]) -> None:
    with anyio.fail_after(LONG_LIMIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            for case in together:
                tasks.start_soon(play, case, name=str(case))


async def play(case: Case[GossipRow]) -> None:
    try:
        async with cast_of(case.peer, case.direction, case.scenario.transport) as cast:
            await case.scenario.play(cast)
    except BaseException as error:
        error.add_note(f"--- {case} ---")
        raise
