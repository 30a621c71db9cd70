"""The matrix: scenario x peer x direction, as it came out in this session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WORST_LAST: Final = ("not run", "not offered", "skipped", "pass", "FAIL")


@frozen
class Row:
    """How one scenario came out with one peer in one direction."""

    scenario: str
    peer: str
    direction: str
    result: str
    reason: str = ""


def table(rows: Sequence[Row]) -> list[str]:
    """The lines of the matrix, then those of the reasons."""
    columns = list(dict.fromkeys((row.peer, row.direction) for row in rows))
    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    heads = [f"{peer}: {direction}" for peer, direction in columns]
    width = max((len(scenario) for scenario in scenarios), default=0)
    lines = ["  ".join([" " * width, *heads])]
    for scenario in scenarios:
        cells = [
            _worst(rows, scenario, column).ljust(len(head))
            for column, head in zip(columns, heads, strict=True)
        ]
        lines.append("  ".join([scenario.ljust(width), *cells]).rstrip())
    return [*lines, *_reasons(rows)]


def _worst(rows: Iterable[Row], scenario: str, column: tuple[str, str]) -> str:
    results = [
        row.result
        for row in rows
        if row.scenario == scenario and (row.peer, row.direction) == column
    ]
    return max(results, key=WORST_LAST.index, default="not run")


def _reasons(rows: Iterable[Row]) -> list[str]:
    scenarios: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.reason:
            note = f"{row.peer}: {row.result}: {row.reason}"
            scenarios.setdefault(note, {})[row.scenario] = None
    return [f"{note} [{'; '.join(names)}]" for note, names in scenarios.items()]
