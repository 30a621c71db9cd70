"""Every scenario with every foreign peer, in both directions; README.md says how to add more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import frozen

from .build import KINDS
from .driver import peer
from .here import our_node
from .not_offered import DIRECTIONS, WE_DIAL, why_not_offered
from .scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen
class Case:
    """One test: a scenario with a peer in a direction.

    Attributes:
        backend: on which event loop; a direction has one, so that each scenario meets both.
    """

    scenario: Scenario
    peer: str
    direction: str
    backend: str

    def __str__(self) -> str:
        return f"{self.scenario}-{self.peer}-{self.direction.replace(' ', '-')}"


def cases() -> list[Case]:
    """Every row that the peer offers."""
    return [
        Case(scenario, kind, direction, backend)
        for scenario in SCENARIOS
        for kind in KINDS
        for direction, backend in DIRECTIONS.items()
        if why_not_offered(scenario, kind, direction) is None
    ]


@pytest.fixture
def anyio_backend(case: Case) -> str:
    """The event loop of this case."""
    return case.backend


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_interop(case: Case, record_property: Callable[[str, object], None]) -> None:
    scenario = case.scenario
    async with our_node(scenario.listen) as here, peer(case.peer, **scenario.settings) as there:
        record_property("interop-version", there.version)
        opener, accepter = (here, there) if case.direction == WE_DIAL else (there, here)
        await opener.dial(accepter.address)
        await accepter.event("connected", peer=opener.id)
        await scenario.run(opener, accepter)
