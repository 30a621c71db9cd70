"""WritePace: large writes where the path is quick, small ones where it is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerloom._muxers._yamux_pace import LEAST_BYTES, MOST_BYTES, SLOW_SECONDS, WritePace


def paced(*writes: tuple[int, float]) -> WritePace:
    pace = WritePace()
    for size, seconds in writes:
        pace.written(size, seconds)
    return pace


def test_full_writes_that_go_out_at_once_grow() -> None:
    assert paced((LEAST_BYTES, 0.0)).room == 2 * LEAST_BYTES
    assert paced(*[(MOST_BYTES, 0.001)] * 20).room == MOST_BYTES


def test_small_writes_tell_nothing_of_the_path() -> None:
    assert paced(*[(LEAST_BYTES - 1, 0.0)] * 20).room == LEAST_BYTES


def test_slow_writes_shrink_whatever_their_size() -> None:
    grown = [(MOST_BYTES, 0.001)] * 20
    assert paced(*grown, (10, 2 * SLOW_SECONDS)).room == MOST_BYTES // 2
    assert paced(*grown, *[(MOST_BYTES, 1.0)] * 20).room == LEAST_BYTES


def test_a_path_that_is_neither_quick_nor_slow_changes_nothing() -> None:
    assert paced((LEAST_BYTES, 0.75 * SLOW_SECONDS)).room == LEAST_BYTES


@given(st.floats(1e5, 1e10), st.integers(1, 60))
def test_a_write_is_never_much_slower_than_allowed(bytes_per_second: float, writes: int) -> None:
    pace = WritePace()
    for _ in range(writes):
        pace.written(pace.room, pace.room / bytes_per_second)
    took = pace.room / bytes_per_second
    assert took <= SLOW_SECONDS or pace.room == LEAST_BYTES
