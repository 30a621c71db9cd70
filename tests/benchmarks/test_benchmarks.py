"""Each benchmark runs, in one tiny round, and prints what it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.cases.stream_wan import WINDOW
from benchmarks.registry import BENCHMARKS
from tests.interop.build import ROOT
from tests.net.namespaces import missing

_SECONDS = 1200  # the other peers may have to be built first
_WITH_OTHERS = os.environ.get("PEERLOOM_REQUIRE_ALL") == "1"
# `make test` needs neither Node.js nor Go nor Rust; CI does.
_OTHERS = ("js-libp2p", "go-libp2p", "rust-libp2p") if _WITH_OTHERS else ()
_CONTESTANTS = ("peerloom", "py-libp2p", "blocking", "plain-tcp", *_OTHERS)

_ALSO = {
    "latency": {"p99"},
    "stream-parallel": {"fairness"},
    "stream-wan": {WINDOW},
    "memory": {"processor-percent", "processor-percent-few"},
    "startup": {"help", "import", "resident-mib"},
    "round-trips": {"tcp-unknown", "quic-known", "quic-unknown"},
    "gossip-throughput": {
        "microseconds-of-processor",
        "unsigned",
        "unsigned-microseconds-of-processor",
    },
    "gossip-burst": {"delivered-percent", "processor-seconds"},
    "gossip-latency": {"p99"},
    "gossip-sim": {"p50", "max", "copies", "processor-seconds"}
    | {f"{what}-4-2-8" for what in ("p50", "p99", "copies")},
    "simulation": {"start", "memory-mib", "kib-a-node", "slope", "processor-seconds"}
    | {f"{what}-{size}" for what in ("seconds", "memory-mib") for size in (11, 12)},
}


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.timeout(_SECONDS)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_prints_one_json_object_on_its_last_line(name: str) -> None:
    if name == "stream-wan" and (reason := missing()):
        pytest.skip(reason)
    only = [word for contestant in _CONTESTANTS for word in ("--only", contestant)]
    done = _run(name, "--json", "--quick", *only)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    also = report.pop("also", {})
    assert also.keys() == _ALSO.get(name, set())
    for beside in also.values():
        assert beside["ours"] > 0
        assert beside["peers"].keys() <= report["peers"].keys()
    lower_is_better = report.pop("lower_is_better", False)
    assert lower_is_better == BENCHMARKS[name].lower_is_better
    assert list(report) == [
        "name", "unit", "ours", "peers", "ratio", "rounds", "settings", "versions",
    ]  # fmt: skip
    assert report["name"] == name
    assert report["rounds"] == 1
    assert report["ours"] > 0
    limits = BENCHMARKS[name].limits
    assert report["peers"].keys() | ({"limit"} & report["ratio"].keys()) == report["ratio"].keys()
    assert ("limit" in report["ratio"]) == ("" in limits)
    assert {what for what in also if "limit" in also[what]} == limits.keys() - {""}
    for peer, figure in report["peers"].items():
        ours, theirs = report["ours"], figure
        expected = theirs / ours if lower_is_better else ours / theirs
        assert report["ratio"][peer] == pytest.approx(expected, rel=0.01)
    assert {"peerloom", "python", "machine", *report["peers"]} <= report["versions"].keys()
    assert "median" in done.stderr


def test_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    done = _run("stream-tcp-tsl")
    assert done.returncode == 2
    assert all(name in done.stderr for name in BENCHMARKS)


@pytest.mark.timeout(_SECONDS)
def test_a_peer_whose_tools_are_missing_fails_and_ours_is_measured() -> None:
    done = _run(
        "latency", "--json", "--quick", "--only", "peerloom", "--only", "js-libp2p", PATH="/nowhere"
    )
    assert done.returncode == 1
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["ours"] > 0
    assert report["peers"] == {}
    assert "there is no node here" in report["failed"]["js-libp2p"]


@pytest.mark.timeout(_SECONDS)
def test_a_benchmark_that_fails_prints_its_error_and_the_next_one_runs() -> None:
    done = _run("dispatch", "startup", "--json", "--rounds", "1", "--only", "py-libp2p")
    assert done.returncode == 1
    failed, measured = [json.loads(line) for line in done.stdout.splitlines()]
    assert (failed["name"], measured["name"]) == ("dispatch", "startup")
    assert "nobody takes part" in failed["error"]
    assert measured["peers"]["py-libp2p"] > 0
    assert done.stderr.splitlines()[-1] == f"dispatch failed: {failed['error']}"
