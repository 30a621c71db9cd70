"""The receive window: exact, and growing with the path."""

from __future__ import annotations

from itertools import count, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._errors import MuxerViolation
from peerloom._muxers._yamux_ids import MAX_GAPS, ForeignIds
from peerloom._muxers._yamux_window import ReceiveWindow, WindowBudget
from peerloom._unread import UnreadLedger

from .yamux_tools import deliver, frame, headers, output, session

KIB = 1024
MIB = 1024 * KIB
INITIAL = 256 * KIB


def test_window_takes_its_last_byte_and_not_one_more():
    window = ReceiveWindow(0.0)
    window.receive(INITIAL)
    with pytest.raises(MuxerViolation):
        window.receive(1)


def test_window_grants_when_a_quarter_of_it_was_read():
    window = ReceiveWindow(0.0)
    window.receive(INITIAL)
    assert not window.read(INITIAL // 4 - 1)
    assert window.read(1)
    assert window.grant(100.0, 0.05, 16 * MIB, WindowBudget(32 * MIB)) == INITIAL // 4
    assert window.available == INITIAL // 4


@pytest.mark.parametrize(("elapsed", "grows"), [(0.19, True), (0.21, False)])
def test_window_doubles_if_a_quarter_of_it_is_read_within_two_round_trips(elapsed, grows):
    window = ReceiveWindow(0.0)
    window.receive(INITIAL)
    window.read(INITIAL // 4)
    window.grant(elapsed, 0.1, 16 * MIB, WindowBudget(32 * MIB))
    assert window.size == (2 * INITIAL if grows else INITIAL)


def test_window_grows_to_its_limit_within_ten_round_trips():
    window, budget, now, round_trip = ReceiveWindow(0.0), WindowBudget(32 * MIB), 0.0, 0.063
    while window.size < 16 * MIB:
        now += round_trip
        window.receive(amount := window.available)
        window.read(amount)
        window.grant(now, round_trip, 16 * MIB, budget)
    assert now <= 10 * round_trip


@given(
    first=st.integers(10, 50),
    round_trip=st.floats(0.02, 0.4),
    measured=st.floats(0.8, 1.5),
)
def test_window_is_never_what_holds_a_slow_start_back(first, round_trip, measured):
    window, budget, credit = ReceiveWindow(0.0), WindowBudget(32 * MIB), INITIAL
    flights = takewhile(lambda size: size <= 4 * MIB, (first * 1448 * 2**n for n in count()))
    for number, flight in enumerate(flights, 1):
        assert flight <= credit
        credit -= flight
        for piece in _pieces(flight):
            window.receive(piece)
            if window.read(piece):
                now = number * round_trip
                credit += window.grant(now, measured * round_trip, 16 * MIB, budget)
    assert number <= 10
    assert window.size >= 2 * flight


def _pieces(nbytes: int) -> list[int]:
    """As a receiver's reads cut it."""
    return [min(16 * KIB, nbytes - start) for start in range(0, nbytes, 16 * KIB)]


def test_window_growth_of_all_streams_is_bounded_and_given_back():
    budget = WindowBudget(MIB)
    windows = [ReceiveWindow(0.0) for _ in range(8)]
    for window in windows:
        for _ in range(8):
            window.receive(amount := window.available)
            window.read(amount)
            window.grant(0.0, 1.0, 16 * MIB, budget)
    assert sum(window.size - INITIAL for window in windows) == MIB
    for window in windows:
        window.release(budget)
    assert budget.left == MIB


def test_window_shrinks_as_it_is_read_while_too_much_is_unread_and_grows_again_after_that():
    ledger = UnreadLedger(0)
    budget, window = WindowBudget(32 * MIB, ledger), ReceiveWindow(0.0)

    def read_all():
        window.receive(amount := window.available)
        window.read(amount)
        return window.grant(0.0, 1.0, 16 * MIB, budget)

    while window.size < MIB:
        read_all()
    ledger.total = 1
    assert read_all() == INITIAL
    assert window.size == window.available == INITIAL
    assert budget.left == 32 * MIB
    assert read_all() == INITIAL
    ledger.total = 0
    assert read_all() == 2 * INITIAL


@given(
    st.lists(
        st.tuples(
            st.integers(0, 300 * KIB), st.integers(0, 300 * KIB), st.booleans(), st.booleans()
        )
    )
)
def test_window_accounts_for_every_byte(steps):
    window, ledger, unread, granted, used = ReceiveWindow(0.0), UnreadLedger(0), 0, INITIAL, 0
    budget = WindowBudget(MIB, ledger)
    for arriving, reading, fast, tight in steps:
        ledger.total = int(tight)
        if arriving > granted - used:
            with pytest.raises(MuxerViolation):
                window.receive(arriving)
        else:
            window.receive(arriving)
            used += arriving
            unread += arriving
        amount = min(reading, unread)
        unread -= amount
        if window.read(amount):
            granted += window.grant(0.0, 1.0 if fast else -1.0, 2 * MIB, budget)
        assert window.available == granted - used
        assert window.available + unread <= window.size <= 2 * MIB
        assert budget.left + window.size == MIB + INITIAL


def test_window_update_is_sent_when_a_quarter_is_read_not_at_every_read():
    listener = session()
    deliver(listener, frame(1, 1, 1, 0) + frame(0, 0, 1, INITIAL))
    stream = listener.accept_stream()
    assert stream is not None
    for _ in range(63):
        listener.read(stream, 1024)
        assert not listener.has_output
    listener.read(stream, 1024)
    (update,) = headers(output(listener, now=100.0))
    assert (update.kind, update.stream_id, update.length) == (1, 1, INITIAL // 4)


def test_foreign_ids_may_come_out_of_order_but_only_once():
    ids = ForeignIds(dialer=False)
    assert [ids.use(n) for n in (5, 1, 9, 3, 7)] == [True] * 5
    assert [ids.use(n) for n in (5, 1, 9, 3, 7)] == [False] * 5
    assert not ids.use(2)
    assert ids.used(9)
    assert not ids.used(11)


@given(st.lists(st.integers(0, 60).map(lambda n: 2 * n + 1)))
def test_foreign_ids_agree_with_a_set(numbers):
    ids, seen = ForeignIds(dialer=False), set()
    for number in numbers:
        assert ids.used(number) == (number in seen)
        assert ids.use(number) == (number not in seen)
        seen.add(number)


def test_foreign_ids_remember_a_bounded_number_of_gaps():
    ids = ForeignIds(dialer=False)
    for number in range(1, 8 * MAX_GAPS, 4):
        assert ids.use(number)
    assert not ids.use(3)
    assert ids.use(8 * MAX_GAPS - 5)
