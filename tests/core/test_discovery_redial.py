"""BootRounds and Wishes: whom to dial, and when again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom._discovery import _redial
from peerloom._discovery._redial import (
    MAX_DIALS,
    STABLE_SECONDS,
    BootRounds,
    Persistence,
    Wishes,
    backoff,
)
from tests.core.discovery_values import peer

if TYPE_CHECKING:
    from peerloom._peer_id import PeerId


def never() -> float:
    return 0.0


def test_backoff_doubles_from_one_second_to_sixty() -> None:
    assert [backoff(n, never) for n in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(10**6, never) == 60


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_backoff_is_shortened_by_a_quarter_at_most(failures: int, chance: float) -> None:
    longest = backoff(failures, never)

    assert 0.75 * longest <= backoff(failures, lambda: chance) <= longest


def dial_all(plan: BootRounds | Wishes, now: float) -> tuple[PeerId, ...]:
    taken = plan.take_due(now)
    for who in taken:
        plan.on_dial_ended(who, now, failed=True)
    return taken


def test_boot_nodes_are_dialled_at_start_and_again_until_one_is_connected() -> None:
    boots = BootRounds([peer(1), peer(2)], never)
    boots.start(100.0)
    times = []
    for _ in range(9):
        deadline = boots.next_deadline()
        assert deadline is not None
        assert boots.take_due(deadline - 0.01) == ()
        assert set(dial_all(boots, deadline)) == {peer(1), peer(2)}
        times.append(deadline)

    assert times == [100, 101, 103, 107, 115, 131, 163, 223, 283]
    boots.on_connected(peer(2), 300.0)
    assert boots.next_deadline() is None
    assert boots.connected == 1


def test_boot_nodes_are_dialled_again_when_the_last_one_is_lost() -> None:
    boots = BootRounds([peer(1), peer(2)], never)
    boots.start(0.0)
    boots.take_due(0.0)
    boots.on_connected(peer(1), 1.0)
    boots.on_dial_ended(peer(1), 1.0, failed=False)
    boots.on_connected(peer(2), 1.0)
    boots.on_dial_ended(peer(2), 1.0, failed=False)

    boots.on_lost(peer(1), 100.0)
    assert boots.next_deadline() is None
    boots.on_lost(peer(2), 101.0)
    assert boots.next_deadline() == 102.0


def test_boot_node_that_hangs_up_at_once_is_dialled_less_and_less() -> None:
    boots = BootRounds([peer(1)], never)
    boots.start(0.0)
    now, waits = 0.0, []
    for _ in range(8):
        boots.take_due(now)
        boots.on_connected(peer(1), now)
        boots.on_dial_ended(peer(1), now, failed=False)
        boots.on_lost(peer(1), now + 1)
        deadline = boots.next_deadline()
        assert deadline is not None
        waits.append(deadline - now - 1)
        now = deadline

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_boot_round_goes_on_when_a_connection_came_and_went_during_it() -> None:
    boots = BootRounds([peer(1), peer(2)], never)
    boots.start(0.0)
    boots.take_due(0.0)
    boots.on_connected(peer(1), 0.1)
    boots.on_lost(peer(1), 0.2)
    boots.on_dial_ended(peer(1), 0.3, failed=False)
    assert boots.next_deadline() is None
    boots.on_dial_ended(peer(2), 0.3, failed=True)

    assert boots.next_deadline() is not None


def test_node_without_boot_nodes_dials_none() -> None:
    boots = BootRounds([], never)
    boots.start(0.0)

    assert boots.next_deadline() is None
    assert boots.take_due(0.0) == ()


def wait_times(wishes: Wishes, now: float) -> list[float]:
    times: list[float] = []
    while (deadline := wishes.next_deadline()) is not None and len(times) < 12:
        dial_all(wishes, deadline)
        times.append(deadline - now)
    return times


def test_peer_of_an_earlier_run_is_dialled_once() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.ONCE, 5.0, connected=False)

    assert wait_times(wishes, 5.0) == [0]
    assert len(wishes) == 0


def test_discovered_peer_is_dialled_five_times() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.PATIENT, 5.0, connected=False)

    assert wait_times(wishes, 5.0) == [0, 5, 15, 30, 60]
    assert len(wishes) == 0


def test_protected_peer_is_dialled_for_ever() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.ENDLESS, 0.0, connected=False)

    assert wait_times(wishes, 0.0) == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]
    wishes.drop(peer(1))
    assert wishes.next_deadline() is None


@pytest.mark.parametrize("persistence", [Persistence.PATIENT, Persistence.ENDLESS])
def test_lost_peer_is_dialled_at_once_when_its_connection_was_stable(
    persistence: Persistence,
) -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), persistence, 0.0, connected=True)
    assert wishes.next_deadline() is None

    wishes.on_lost(peer(1), STABLE_SECONDS)
    assert wishes.next_deadline() == STABLE_SECONDS


def test_discovered_peer_that_keeps_hanging_up_is_left_alone() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.PATIENT, 0.0, connected=False)
    now, rounds = 0.0, 0
    while (deadline := wishes.next_deadline()) is not None:
        now = deadline
        assert wishes.take_due(now) == (peer(1),)
        wishes.on_connected(peer(1), now)
        wishes.on_dial_ended(peer(1), now, failed=False)
        wishes.on_lost(peer(1), now + 1)
        rounds += 1

    assert rounds == 5


def test_connected_peer_is_not_dialled() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.ENDLESS, 0.0, connected=False)
    wishes.on_connected(peer(1), 0.0)

    assert wishes.next_deadline() is None
    assert wishes.take_due(99.0) == ()


def test_protected_peer_that_was_discovered_before_is_dialled_for_ever() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.PATIENT, 0.0, connected=False)
    wishes.add(peer(1), Persistence.ENDLESS, 0.0, connected=False)
    wishes.add(peer(1), Persistence.ONCE, 0.0, connected=False)

    assert len(wait_times(wishes, 0.0)) == 12


def test_dial_whose_connection_is_never_heard_of_is_made_again() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.ENDLESS, 0.0, connected=False)
    wishes.take_due(0.0)
    wishes.on_dial_ended(peer(1), 1.0, failed=False)

    assert wishes.next_deadline() == 61.0


def test_dials_at_a_time_are_bounded() -> None:
    wishes = Wishes(never)
    for number in range(MAX_DIALS + 5):
        wishes.add(peer(number), Persistence.PATIENT, 0.0, connected=False)

    first = wishes.take_due(0.0)
    assert len(first) == MAX_DIALS
    assert wishes.next_deadline() is None
    assert wishes.take_due(0.0) == ()
    wishes.on_dial_ended(first[0], 0.0, failed=True)
    assert len(wishes.take_due(0.0)) == 1


def test_wishes_are_bounded_but_protected_peers_are_always_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_redial, "MAX_WISHES", 2)
    wishes = Wishes(never)
    for number in range(5):
        wishes.add(peer(number), Persistence.PATIENT, 0.0, connected=False)
    wishes.add(peer(9), Persistence.ENDLESS, 0.0, connected=False)

    assert len(wishes) == 3
    assert peer(9) in wishes.take_due(0.0)


HAPPENINGS = st.tuples(
    st.sampled_from(["add", "dial", "failed", "ended", "connected", "lost", "drop"]),
    st.integers(0, 5),
    st.sampled_from(Persistence),
    st.floats(0, 100),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(HAPPENINGS, max_size=80))
def test_protected_peer_is_never_given_up_whatever_happens(events: list[tuple[Any, ...]]) -> None:
    wishes, now = Wishes(never), 0.0
    dialing: set[PeerId] = set()
    connected: set[PeerId] = set()
    wishes.add(peer(99), Persistence.ENDLESS, now, connected=False)
    for kind, number, persistence, passed in events:
        now += passed
        who = peer(number or 99)
        if kind == "add":
            wishes.add(who, persistence, now, connected=who in connected)
        elif kind == "dial":
            taken = wishes.take_due(now)
            assert not dialing & set(taken)
            dialing |= set(taken)
        elif kind in {"failed", "ended"} and who in dialing:
            dialing.discard(who)
            wishes.on_dial_ended(who, now, failed=kind == "failed")
        elif kind == "connected":
            connected.add(who)
            wishes.on_connected(who, now)
        elif kind == "lost" and who in connected:
            connected.discard(who)
            wishes.on_lost(who, now)
        elif kind == "drop" and number:
            wishes.drop(who)
        assert len(wishes) <= 6
        assert len(wishes._queue) <= 2 * len(wishes) + MAX_DIALS + 1
        waiting = [
            wish.due
            for each, wish in wishes._wishes.items()
            if wish.due is not None and each not in dialing
        ]
        assert wishes.next_deadline() == min(waiting, default=None)
        if peer(99) not in connected | dialing:
            deadline = wishes.next_deadline()
            assert deadline is not None
            assert deadline <= now + 60


def test_peer_wished_for_anew_during_its_dial_is_dialled_once_that_has_ended() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.PATIENT, 0.0, connected=False)
    assert wishes.take_due(0.0) == (peer(1),)
    wishes.drop(peer(1))
    wishes.add(peer(1), Persistence.PATIENT, 1.0, connected=False)
    assert wishes.take_due(2.0) == ()
    wishes.on_dial_ended(peer(1), 3.0, failed=True)
    assert wishes.take_due(3.0) == (peer(1),)


def test_peer_that_this_node_closed_on_purpose_is_dialled_again_only_when_protected() -> None:
    wishes = Wishes(never)
    wishes.add(peer(1), Persistence.PATIENT, 0.0, connected=True)
    wishes.add(peer(2), Persistence.ENDLESS, 0.0, connected=True)
    for who in (peer(1), peer(2)):
        wishes.on_connected(who, 0.0)
        wishes.on_given_up(who, STABLE_SECONDS + 1)

    assert wishes.take_due(STABLE_SECONDS + 120) == (peer(2),)
