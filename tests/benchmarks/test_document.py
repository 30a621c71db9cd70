"""The documentation's tables say what the run printed, and which targets were missed."""

from __future__ import annotations

import pytest

from benchmarks.document import BEGIN, END, rewritten, rows_of
from benchmarks.registry import BENCHMARKS
from benchmarks.targets import TARGETS

VERSIONS = {"machine": "two cores", "python": "3.11", "js-libp2p": "3 (node v20)"}
RESULT = {
    "name": "stream-tcp-tls",
    "unit": "MiB/s",
    "ours": 1200.0,
    "peers": {"py-libp2p": 100.0, "js-libp2p": 800.0},
    "ratio": {"py-libp2p": 12.0, "js-libp2p": 1.5},
    "versions": {"machine": "two cores", "python": "3.11"},
}
MEMORY = {
    "name": "memory",
    "unit": "KiB/connection",
    "ours": 50.0,
    "peers": {},
    "ratio": {"limit": 2.0},
    "also": {
        "processor-percent": {"ours": 3.0, "peers": {}, "limit": 5.0, "ratio": {"limit": 1.7}}
    },
    "failed": {"js-libp2p": "PartyGone: js-libp2p has ended"},
}


def test_a_row_names_each_target_that_was_missed() -> None:
    (row,) = rows_of(RESULT)
    assert row == (
        "| `stream-tcp-tls` | MiB/s | 1200 | py-libp2p 100, js-libp2p 800 |"
        " py-libp2p 12, js-libp2p 1.5 | py-libp2p 12, js-libp2p 2, blocking-tls 0.5 |"
        " reached, **missed**, **not measured** |"
    )


def test_a_row_stands_for_each_limit_also_for_one_that_was_not_measured() -> None:
    assert list(rows_of(MEMORY)) == [
        "| `memory` | KiB/connection | 50 | js-libp2p failed | limit 2 | limit 1 | reached |",
        "| `memory: processor-percent` |  | 3 |  | limit 1.7 | limit 1 | reached |",
        "| `memory: processor-percent-few` |  |  |  |  | limit 1 | **not measured** |",
    ]


def test_a_benchmark_without_figures_has_a_row_all_the_same() -> None:
    error = {"name": "latency", "unit": "ms", "error": "OSError: no"}
    assert list(rows_of(error)) == ["| `latency` | ms |  |  |  | py-libp2p 3 | **not measured** |"]


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    document = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    new = rewritten(document, [RESULT], "2026-11-26")
    assert new.startswith("above\n")
    assert new.endswith("below\n")
    assert "old" not in new
    assert "Measured on 2026-11-26, on two cores." in new
    assert rewritten(new, [RESULT], "2026-11-26") == new


def test_rows_of_benchmarks_that_were_not_measured_again_stay_and_are_named() -> None:
    first = rewritten(f"{BEGIN}\n{END}", [RESULT, {**MEMORY, "versions": VERSIONS}], "2026-11-26")
    faster = {**RESULT, "ours": 1300.0, "versions": {**VERSIONS, "python": "3.12"}}
    second = rewritten(first, [faster], "2026-11-27")
    assert "Measured on 2026-11-27, on two cores; before that: `memory`." in second
    assert "With js-libp2p 3 (node v20), python 3.12." in second
    assert all(row in second for row in rows_of(faster))
    assert all(row in second for row in rows_of(MEMORY))
    assert "1200" not in second


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="needs a line"):
        rewritten("nothing here", [RESULT], "2026-11-26")


def test_every_target_belongs_to_a_benchmark() -> None:
    assert {name.partition(": ")[0] for name in TARGETS} <= BENCHMARKS.keys()
