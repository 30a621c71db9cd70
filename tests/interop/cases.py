"""Cases: the rows of the matrix with every peer that offers them, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from attrs import frozen

from .build import KINDS
from .not_offered import DIRECTIONS, why_not_offered

if TYPE_CHECKING:
    from collections.abc import Sequence


class Row(Protocol):
    """A row of the matrix: its name, what it is played over, and whether its streams end."""

    @property
    def name(self) -> str: ...
    @property
    def transport(self) -> str: ...
    @property
    def ends_streams(self) -> bool: ...


R = TypeVar("R", bound=Row)


@frozen
class Case(Generic[R]):
    """One cell of the matrix: a scenario with a peer in a direction.

    Attributes:
        backend: on which event loop; a direction has one, so that each scenario meets both.
    """

    scenario: R
    peer: str
    direction: str
    backend: str

    def __str__(self) -> str:
        return f"{self.scenario}-{self.peer}-{self.direction.replace(' ', '-')}"


def cases(rows: Sequence[R]) -> list[Case[R]]:
    """Every one of these rows that a peer offers."""
    return [
        Case(row, kind, direction, backend)
        for row in rows
        for kind in KINDS
        for direction, backend in DIRECTIONS.items()
        if why_not_offered(row, kind, direction) is None
    ]
