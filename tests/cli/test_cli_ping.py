"""`peerloom ping` and `peerloom perf` measure a running node."""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from peerloom._cli._ping import summary
from tests.cli.commands import Running, free_port, peerloom, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)  # several processes, each with its own limit

backends = pytest.mark.parametrize("backend", [(), ("--trio",)], ids=["asyncio", "trio"])


@contextmanager
def listening(home: Path, **env: str) -> Iterator[tuple[Running, str]]:
    with running(home, "run", "--listen", "/ip4/127.0.0.1/tcp/0", **env) as node:
        yield node, node.line_with("listening on").split()[-1]


@backends
def test_ping_tells_each_round_trip_and_their_sum(tmp_path: Path, backend: tuple[str, ...]) -> None:
    with listening(tmp_path) as (_, address):
        without_peer_id = address.partition("/p2p/")[0]
        done = peerloom(
            tmp_path, "ping", without_peer_id, "--count", "3", "--interval", "0.01", *backend
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"connected to {address.rpartition('/')[2]} by /tls/1.0.0"
    assert [re.sub(r"\d+\.\d+", "x", line) for line in lines[1:4]] == [
        "1: x ms",
        "2: x ms",
        "3: x ms",
    ]
    assert lines[4].startswith("3 of 3 answered; least, mean, most: ")


def test_ping_goes_on_until_it_is_stopped_and_then_sums_up(tmp_path: Path) -> None:
    with listening(tmp_path) as (_, address):
        with running(tmp_path, "ping", address, "--interval", "0.05") as ping:
            ping.line_with("3: ")
            assert ping.end(signal.SIGINT) == 0
        assert "answered; least, mean, most" in ping.said[-1]


def test_ping_of_a_peer_that_goes_away_fails_and_says_why(tmp_path: Path) -> None:
    with listening(tmp_path) as (node, address):
        with running(tmp_path, "ping", address, "--interval", "0.05") as ping:
            ping.line_with("2: ")
            node.end(signal.SIGKILL)
            assert ping.end() == 1
        assert "cannot connect" in ping.told[-1]


def test_ping_of_nobody_is_one_line_and_a_status(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "ping", f"/ip4/127.0.0.1/tcp/{free_port()}", "--count", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("peerloom: cannot connect; /ip4/127.0.0.1/tcp/")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["ping", "perf"])
def test_measuring_at_no_address_is_a_wrong_use_that_says_what_one_is(
    tmp_path: Path, command: str
) -> None:
    done = peerloom(tmp_path, command, "example.org")
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected an address such as /ip4/127.0.0.1/tcp/2428, found 'example.org'" in done.stderr


@backends
def test_perf_measures_both_ways(tmp_path: Path, backend: tuple[str, ...]) -> None:
    with listening(tmp_path, PEERLOOM_PERF__SERVE="true") as (_, address):
        done = peerloom(tmp_path, "perf", address, "--upload", "4", "--download", "2", *backend)
    assert done.returncode == 0, done.stderr
    found = [re.sub(r"\d+\.\d+ s, .*", "…", line) for line in done.stdout.splitlines()[1:]]
    assert found == ["up: 4.00 MiB in …", "down: 2.00 MiB in …"]


def test_perf_with_a_peer_that_does_not_serve_it_says_how_to(tmp_path: Path) -> None:
    with listening(tmp_path) as (_, address):
        done = peerloom(tmp_path, "perf", address)
    assert done.returncode == 1
    assert "start it with PEERLOOM_PERF__SERVE=true" in done.stderr


def test_perf_is_stopped_by_a_signal(tmp_path: Path) -> None:
    with listening(tmp_path, PEERLOOM_PERF__SERVE="true") as (node, address):
        with running(tmp_path, "perf", address, "--upload", "1048576") as perf:
            perf.line_with("connected to")
            assert perf.end(signal.SIGTERM) == 128 + signal.SIGTERM
        node.line_with("disconnected from")


def test_summary_counts_what_was_lost() -> None:
    assert summary(3, [0.001, 0.003]) == (
        "2 of 3 answered; least, mean, most: 1.00 ms, 2.00 ms, 3.00 ms"
    )
    assert summary(2, []) == "0 of 2 answered"
