"""The documentation's tables say what the run printed, and which targets were missed."""

from __future__ import annotations

import pytest

from benchmarks.document import BEGIN, END, rewritten, rows_of
from benchmarks.registry import BENCHMARKS
from benchmarks.targets import TARGETS

RESULT = {
    "name": "stream-tcp-tls",
    "unit": "MiB/s",
    "ours": 1200.0,
    "peers": {"py-libp2p": 100.0, "js-libp2p": 800.0},
    "ratio": {"py-libp2p": 12.0, "js-libp2p": 1.5},
    "also": {"cpu": {"ours": 3.0, "peers": {}, "limit": 5.0, "ratio": {"limit": 1.7}}},
    "versions": {"machine": "two cores", "python": "3.11"},
}


def test_a_row_names_each_target_that_was_missed() -> None:
    first, also = rows_of(RESULT)
    assert first == (
        "| `stream-tcp-tls` | MiB/s | 1200 | py-libp2p 100, js-libp2p 800 |"
        " py-libp2p 12, js-libp2p 1.5 | py-libp2p 12, js-libp2p 2, blocking-tls 0.5 |"
        " reached, **missed** |"
    )
    assert also == "| `stream-tcp-tls: cpu` |  | 3 |  | limit 1.7 | limit 1 | reached |"


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    document = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    new = rewritten(document, [RESULT], "2026-11-26")
    assert new.startswith("above\n")
    assert new.endswith("below\n")
    assert "old" not in new
    assert "Measured on 2026-11-26, on two cores." in new
    assert rewritten(new, [RESULT], "2026-11-26") == new


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="needs a line"):
        rewritten("nothing here", [RESULT], "2026-11-26")


def test_every_target_belongs_to_a_benchmark() -> None:
    assert TARGETS.keys() <= BENCHMARKS.keys()
