"""Every scenario with every foreign peer, in both directions; README.md says how to add more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .cases import Case, cases
from .driver import peer
from .here import our_node
from .not_offered import WE_DIAL
from .scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def anyio_backend(case: Case[Scenario]) -> str:
    """The event loop of this case."""
    return case.backend


@pytest.mark.parametrize("case", cases(SCENARIOS), ids=str)
async def test_interop(
    case: Case[Scenario], record_property: Callable[[str, object], None]
) -> None:
    scenario = case.scenario
    async with our_node(scenario.listen) as here, peer(case.peer, **scenario.settings) as there:
        record_property("interop-version", [case.peer, there.version])
        opener, accepter = (here, there) if case.direction == WE_DIAL else (there, here)
        await opener.dial(accepter.address)
        await accepter.event("connected", peer=opener.id)
        await scenario.run(opener, accepter)
