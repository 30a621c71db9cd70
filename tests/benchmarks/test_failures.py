"""A contestant that fails is named, the others go on, and nothing that is missing looks right."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.benchmark import Benchmark, Contestant, Options, absent
from benchmarks.process import worker
from benchmarks.registry import BENCHMARKS
from benchmarks.report import reason_of
from benchmarks.run import run
from benchmarks.verdicts import has_failed, summary, verdicts_of
from tests.interop.party import PartyGone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from benchmarks.process import Peer

DISPATCHING = (sys.executable, "-m", "benchmarks.workers.dispatching", "asyncio")
ALL = Options()


def _benchmark(*contestants: Contestant) -> Benchmark:
    @asynccontextmanager
    async def contest(_options: Options) -> AsyncIterator[Sequence[Contestant]]:
        yield contestants

    return Benchmark("latency", "ms", contest, lambda _options: {}, lower_is_better=True)


def _turns(*figures: float | Exception) -> Callable[[], Awaitable[float]]:
    """Takes these turns, and then the last one again and again."""
    left = list(figures)

    async def measure() -> float:
        figure = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(figure, Exception):
            raise figure
        return figure

    return measure


def _ours(*figures: float | Exception) -> list[Contestant]:
    return [
        Contestant("peerloom-asyncio", _turns(*figures)),
        Contestant("peerloom-trio", _turns(1.0)),
    ]


async def _result_of(*contestants: Contestant) -> dict[str, Any]:
    return (await run(_benchmark(*contestants), ALL, rounds=3)).as_fields()


async def test_peer_that_fails_in_a_late_round_has_no_figure_and_the_others_have_all() -> None:
    late = Contestant("py-libp2p", _turns(3.0, 3.0, TimeoutError("no answer"), 3.0))
    result = await _result_of(*_ours(1.0), late, Contestant("js-libp2p", _turns(2.0)))
    assert result["failed"] == {"py-libp2p": "TimeoutError: no answer"}
    assert result["ours"] == 1.0
    assert result["peers"] == {"js-libp2p": 2.0}
    assert result["ratio"] == {"js-libp2p": 2.0}
    assert has_failed(result, ALL)


async def test_ours_is_null_when_one_of_ours_fails_since_the_worse_one_counts() -> None:
    result = await _result_of(*_ours(1.0, OSError("no")), Contestant("py-libp2p", _turns(9.0)))
    assert result["ours"] is None
    assert result["ratio"] == {}
    assert result["peers"] == {"py-libp2p": 9.0}
    assert result["failed"] == {"peerloom-asyncio": "OSError: no"}


async def test_a_contestant_that_could_not_be_started_fails() -> None:
    result = await _result_of(*_ours(1.0), absent("py-libp2p", OSError("no such program")))
    assert result["failed"] == {"py-libp2p": "OSError: no such program"}
    assert result["ours"] == 1.0


async def test_table_has_a_row_for_who_failed() -> None:
    benchmark = _benchmark(*_ours(1.0), absent("py-libp2p", OSError("no")))
    report = await run(benchmark, ALL, rounds=1)
    assert any(
        line.split() == ["py-libp2p", "failed:", "OSError:", "no"]
        for line in report.as_table().splitlines()
    )


async def test_a_worker_that_is_killed_fails_with_its_log_and_ends_nobody_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with worker("py-libp2p", DISPATCHING) as peer:
        result = await _result_of(*_ours(1.0), _killed(peer))
    assert "py-libp2p" in result["failed"]["py-libp2p"]
    assert PartyGone.__name__ in result["failed"]["py-libp2p"]
    assert result["ours"] == 1.0
    assert "--- log of py-libp2p" in capsys.readouterr().err


def _killed(peer: Peer) -> Contestant:
    async def measure() -> float:
        peer.kill()
        return float((await peer.request("dispatch", count=1))["seconds"])

    return Contestant("py-libp2p", measure, give_up=lambda: peer.log)


def test_reason_of_a_group_names_each_error_in_it() -> None:
    group = ExceptionGroup("some", [OSError("a"), ExceptionGroup("more", [ValueError("b")])])
    assert reason_of(group) == "OSError: a; ValueError: b"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_result_without_what_its_targets_need_is_no_success(name: str) -> None:
    empty = {"name": name, "ours": 1.0, "peers": {}, "ratio": {}}
    verdicts = list(verdicts_of(empty))
    assert {each.word for each in verdicts} == {"not measured"}
    assert has_failed(empty, ALL)


def test_peers_that_nobody_wants_are_not_missed() -> None:
    result = {"name": "stream-tcp-tls", "ratio": {"js-libp2p": 2.5}}
    only = Options(only=("peerloom", "js-libp2p"))
    assert [each.against for each in verdicts_of(result, only)] == ["js-libp2p"]
    assert not has_failed(result, only)


def test_a_limit_beside_a_peer_is_not_measured_without_that_peer() -> None:
    result = {"name": "startup", "ratio": {}, "also": {}}
    (verdict,) = [each for each in verdicts_of(result) if each.figure == "startup"]
    assert (verdict.against, verdict.word) == ("limit", "not measured")


def test_summary_says_of_each_target_whether_it_was_reached() -> None:
    results: list[dict[str, Any]] = [
        {"name": "handshake", "ratio": {"py-libp2p": 3.0, "js-libp2p": 0.5}},
        {"name": "latency", "error": "OSError: no"},
    ]
    lines = [line.split() for line in summary(results, ALL).splitlines()]
    assert ["handshake", "py-libp2p", "3", "2", "reached"] in lines
    assert ["handshake", "js-libp2p", "0.5", "1", "missed"] in lines
    assert ["latency", "py-libp2p", "3", "not", "measured"] in lines
    assert lines[-1] == ["latency", "failed:", "OSError:", "no"]
