"""A path as plain state: rate, queue, delay and loss, to the packet."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from .path import Path, Quality

_SIZE = 1000


def _path(**quality: Any) -> Path:
    return Path(Quality(**quality), Random(1))


def test_path_delays_every_packet_alike():
    path = _path(delay_seconds=0.03)
    assert [path.send(_SIZE, now) for now in (1.0, 1.0, 2.0)] == [1.03, 1.03, 2.03]


def test_path_sends_one_packet_behind_the_other_at_its_rate():
    path = _path(rate_bytes_per_second=10 * _SIZE, delay_seconds=1.0)
    assert [path.send(_SIZE, 5.0) for _ in range(3)] == pytest.approx([6.1, 6.2, 6.3])


def test_path_is_free_again_once_its_queue_has_drained():
    path = _path(rate_bytes_per_second=10 * _SIZE)
    path.send(_SIZE, 0.0)
    assert path.send(_SIZE, 7.0) == pytest.approx(7.1)


def test_path_drops_what_its_queue_cannot_hold_and_goes_on():
    path = _path(rate_bytes_per_second=10 * _SIZE, queue_bytes=3 * _SIZE)
    arrivals = [path.send(_SIZE, 0.0) for _ in range(5)]
    assert [each is not None for each in arrivals] == [True, True, True, False, False]
    assert path.send(_SIZE, 0.1) == pytest.approx(0.4)
    assert path.counters.dropped == 2
    assert path.counters.packets == 6
    assert path.counters.bytes == 6 * _SIZE
    assert path.counters.backlog_bytes == 3 * _SIZE


def test_path_loses_the_share_that_is_set():
    path = _path(loss=0.1)
    arrived = [path.send(_SIZE, 0.0) for _ in range(10_000)]
    assert arrived.count(None) == path.counters.lost
    assert path.counters.lost == pytest.approx(1000, abs=150)  # five standard deviations


def test_path_loses_the_same_packets_for_the_same_seed_only():
    def lost(seed: int) -> list[bool]:
        path = Path(Quality(loss=0.1), Random(seed))
        return [path.send(_SIZE, 0.0) is None for _ in range(1000)]

    assert lost(1) == lost(1) != lost(2)


def test_path_is_busy_with_packets_that_get_lost():
    path = _path(loss=1.0, rate_bytes_per_second=_SIZE, queue_bytes=2 * _SIZE)
    assert [path.send(_SIZE, 0.0) for _ in range(3)] == [None] * 3
    assert (path.counters.lost, path.counters.dropped) == (2, 1)
