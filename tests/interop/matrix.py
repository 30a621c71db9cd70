"""The matrix: scenario x peer x who dials, as it came out in this session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from .build import KINDS
from .gossip_rows import GOSSIP
from .not_offered import DIRECTIONS, why_not_offered
from .scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .cases import Row

    Place = tuple[str, str, str]

PASS: Final = "pass"
FAIL: Final = "FAIL"
NOT_OFFERED: Final = "not offered"
NOT_RUN: Final = "not run"
ROWS: Final[Sequence[Row]] = (*SCENARIOS, *GOSSIP)
_WORST_LAST: Final = (NOT_RUN, NOT_OFFERED, PASS, FAIL)


@frozen
class Cell:
    """How one scenario came out with one peer in one direction.

    Attributes:
        verdict: one of the four above.
        reason: why it is none of the good ones.
        seconds: how long it took.
    """

    verdict: str
    reason: str = ""
    seconds: float = 0.0


@frozen
class Matrix:
    """All cells, by scenario, peer and direction.

    Attributes:
        scenarios: their names, which are its rows.
        columns: a peer and who dials.
    """

    scenarios: Sequence[str]
    columns: Sequence[tuple[str, str]]
    _cells: dict[Place, Cell] = field(factory=dict)

    @classmethod
    def of_all(cls) -> Matrix:
        """Every scenario, peer and direction: none run, some not offered."""
        columns = [(kind, direction) for kind in KINDS for direction in DIRECTIONS]
        matrix = cls([each.name for each in ROWS], columns)
        for scenario in ROWS:
            for column in columns:
                reason = why_not_offered(scenario, *column)
                if reason is not None:
                    matrix.add((scenario.name, *column), Cell(NOT_OFFERED, reason))
        return matrix

    def add(self, place: Place, cell: Cell) -> None:
        """Take in what came of a case; the worst of a place is kept."""
        if _rank(cell) >= _rank(self.at(place)):
            self._cells[place] = cell

    def at(self, place: Place) -> Cell:
        """What came of a case."""
        return self._cells.get(place, Cell(NOT_RUN))

    def row(self, scenario: str) -> list[Cell]:
        """The cells of a scenario, column by column."""
        return [self.at((scenario, *column)) for column in self.columns]

    def is_complete(self) -> bool:
        """Whether every case has been run that is offered."""
        return all(cell.verdict != NOT_RUN for name in self.scenarios for cell in self.row(name))

    def heads(self) -> list[str]:
        """What stands above the columns."""
        return [f"{peer}: {direction}" for peer, direction in self.columns]

    def reasons(self, rows: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Each reason in these rows, with peer and verdict, and the scenarios it holds for."""
        scenarios: dict[str, dict[str, None]] = {}
        for name in rows:
            for (peer, _), cell in zip(self.columns, self.row(name), strict=True):
                if cell.reason:
                    note = note_of(peer, cell)
                    scenarios.setdefault(note, {})[name] = None
        return {note: list(names) for note, names in scenarios.items()}


def note_of(peer: str, cell: Cell) -> str:
    """A cell's reason with all that tells it from others."""
    return f"{peer}: {cell.verdict}: {cell.reason}"


def table(matrix: Matrix) -> list[str]:
    """The rows of which anything has been run, with their seconds, then the reasons."""
    heads = [*matrix.heads(), "seconds"]
    width = max(len(name) for name in matrix.scenarios)
    lines = ["  ".join([" " * width, *heads])]
    run = [name for name in matrix.scenarios if _any_run(matrix.row(name))]
    for name in run:
        row = matrix.row(name)
        seconds = f"{sum(cell.seconds for cell in row):7.1f}"
        texts = [*(cell.verdict for cell in row), seconds]
        padded = [text.ljust(len(head)) for text, head in zip(texts, heads, strict=True)]
        lines.append("  ".join([name.ljust(width), *padded]).rstrip())
    return [*lines, *(f"{note} [{'; '.join(on)}]" for note, on in matrix.reasons(run).items())]


def _any_run(row: Sequence[Cell]) -> bool:
    return any(cell.verdict in {PASS, FAIL} for cell in row)


def _rank(cell: Cell) -> int:
    return _WORST_LAST.index(cell.verdict)
