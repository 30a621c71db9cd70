"""The matrix: what it shows, when it is written, and that nothing in it is out of date."""

from __future__ import annotations

from datetime import date

from .build import KINDS
from .document import document
from .matrix import FAIL, NOT_OFFERED, PASS, ROWS, Cell, Matrix, table
from .not_offered import NOT_OFFERED as LINES_NOT_OFFERED
from .not_offered import TRANSPORTS


def small() -> Matrix:
    matrix = Matrix(["echo", "ping", "perf"], [("js", "we dial"), ("py", "they dial")])
    matrix.add(("echo", "js", "we dial"), Cell(PASS, seconds=1.0))
    matrix.add(("echo", "js", "we dial"), Cell(FAIL, "no answer", 2.5))
    matrix.add(("ping", "py", "they dial"), Cell(NOT_OFFERED, "it has none"))
    matrix.add(("ping", "js", "we dial"), Cell(PASS, seconds=0.25))
    return matrix


def test_matrix_shows_the_worst_of_a_cell_the_seconds_of_a_row_and_the_reasons() -> None:
    assert table(small()) == [
        "      js: we dial  py: they dial  seconds",
        "echo  FAIL         not run            2.5",
        "ping  pass         not offered        0.2",
        "js: FAIL: no answer [echo]",
        "py: not offered: it has none [ping]",
    ]


def test_matrix_is_complete_when_every_case_that_is_offered_has_been_run() -> None:
    matrix = Matrix.of_all()
    offered = [
        (name, *column)
        for name in matrix.scenarios
        for column in matrix.columns
        if matrix.at((name, *column)).verdict != NOT_OFFERED
    ]
    for place in offered[:-1]:
        matrix.add(place, Cell(PASS))
    assert not matrix.is_complete()
    matrix.add(offered[-1], Cell(FAIL, "no answer"))
    assert matrix.is_complete()


def test_document_leads_from_each_cell_to_its_reason() -> None:
    text = document(small(), {"js": "js-libp2p 3.3"}, date(2026, 1, 2))
    assert "Of 2026-01-02, by peerloom " in text
    assert "with js-libp2p 3.3 (`js`)." in text
    assert "| echo | **FAIL** (1) | not run |" in text
    assert "| ping | pass | not offered (2) |" in text
    assert text.endswith("1. js: FAIL: no answer\n2. py: not offered: it has none\n")


def test_rows_not_offered_are_rows_of_the_matrix_and_have_reasons() -> None:
    names = {scenario.name for scenario in ROWS}
    assert len(names) == len(ROWS)
    assert {scenario for scenario, *_ in LINES_NOT_OFFERED} <= names
    assert {peer for _, peer, *_ in LINES_NOT_OFFERED} <= set(KINDS) == set(TRANSPORTS)
    assert all(reason for *_, reason in LINES_NOT_OFFERED)
