"""When connections are pinged, and when one counts as dead."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerloom._meta._ping_state import PingState


def state() -> PingState:
    return PingState(interval_seconds=15, max_failures=3)


def test_ping_state_first_ping_is_due_after_one_interval() -> None:
    pings = state()
    pings.connected(1, now=100)

    assert pings.next_deadline() == 115
    assert pings.take_due(114.9) == []
    assert pings.take_due(115) == [1]


def test_ping_state_asks_once_while_an_answer_is_awaited() -> None:
    pings = state()
    pings.connected(1, now=0)

    assert pings.take_due(15) == [1]
    assert pings.next_deadline() is None
    assert pings.take_due(1000) == []


def test_ping_state_counts_the_interval_from_the_beginning_of_a_ping() -> None:
    pings = state()
    pings.connected(1, now=0)
    pings.take_due(15)
    pings.answered(1, began_at=15)

    assert pings.next_deadline() == 30


def test_silent_connection_is_dead_after_three_failures_75_seconds_after_the_last_answer() -> None:
    pings, now, timeout = state(), 0.0, 20.0
    pings.connected(1, now)
    while not pings.is_dead(1):
        deadline = pings.next_deadline()
        assert deadline is not None
        now = max(now, deadline)
        assert pings.take_due(now) == [1]
        began_at, now = now, now + timeout
        pings.failed(1, began_at)

    assert pings.failures(1) == 3
    assert now == 15 + 3 * timeout


def test_ping_state_forgets_failures_at_an_answer() -> None:
    pings = state()
    pings.connected(1, now=0)
    pings.failed(1, 0)
    pings.failed(1, 20)
    pings.answered(1, 40)
    pings.failed(1, 60)

    assert pings.failures(1) == 1
    assert not pings.is_dead(1)


def test_peer_that_does_not_speak_ping_is_left_in_peace() -> None:
    pings = state()
    pings.connected(1, now=0)
    pings.take_due(15)
    pings.unsupported(1)

    assert pings.next_deadline() is None
    assert not pings.is_dead(1)


def test_ping_that_could_not_be_sent_is_no_failure_of_the_peer() -> None:
    pings = state()
    pings.connected(1, now=0)
    pings.take_due(15)
    pings.not_sent(1, began_at=15)

    assert pings.failures(1) == 0
    assert pings.next_deadline() == 30


def test_ping_state_ignores_what_comes_after_the_end_of_a_connection() -> None:
    pings = state()
    pings.connected(1, now=0)
    pings.disconnected(1)
    pings.answered(1, 1)
    pings.unsupported(1)
    pings.not_sent(1, 1)

    assert pings.failed(1, 1) == 0
    assert pings.next_deadline() is None


@given(st.lists(st.sampled_from(["answered", "failed", "reconnected"])))
def test_connection_is_dead_exactly_after_three_failures_in_a_row(steps: list[str]) -> None:
    pings, in_a_row = state(), 0
    pings.connected(1, now=0)

    for now, step in enumerate(steps):
        if step == "failed":
            pings.failed(1, now)
            in_a_row += 1
        elif step == "answered":
            pings.answered(1, now)
            in_a_row = 0
        else:
            pings.disconnected(1)
            pings.connected(1, now)
            in_a_row = 0

    assert pings.failures(1) == in_a_row
    assert pings.is_dead(1) == (in_a_row >= 3)
