"""Whom to identify when, and when to push."""

from __future__ import annotations

import pytest
from multiaddr import Multiaddr

from peerloom._meta._identify_codec import IdentifyMessage
from peerloom._meta._identify_state import (
    PUSH_BURST,
    PUSH_DELAY_SECONDS,
    PUSH_PROTOCOL,
    RETRY_SECONDS,
    IdentifyState,
)
from peerloom._peer_id import PeerId

ALICE, BOB = (PeerId.from_public_key(bytes([n]) * 36) for n in (1, 2))
PUSHER = IdentifyMessage(protocols=(PUSH_PROTOCOL,))


@pytest.fixture
def state() -> IdentifyState:
    return IdentifyState(interval_seconds=300)


def test_connection_is_identified_at_once_and_again_after_the_interval(
    state: IdentifyState,
) -> None:
    state.connected(1, ALICE, now=10)

    assert state.take_due(10) == [(1, ALICE)]
    assert state.next_deadline() is None
    state.identified(1, PUSHER, now=11)
    assert state.next_deadline() == 311
    assert state.take_due(311) == [(1, ALICE)]


def test_failed_identify_is_tried_again_soon(state: IdentifyState) -> None:
    state.connected(1, ALICE, now=0)
    state.take_due(0)
    state.failed(1, now=5, final=False)

    assert state.next_deadline() == 5 + RETRY_SECONDS


def test_peer_that_does_not_speak_identify_is_asked_again_only_after_the_interval(
    state: IdentifyState,
) -> None:
    state.connected(1, ALICE, now=0)
    state.take_due(0)
    state.failed(1, now=5, final=True)

    assert state.next_deadline() == 305


def test_changes_that_come_together_are_pushed_once(state: IdentifyState) -> None:
    state.connected(1, ALICE, now=0)
    state.take_due(0)
    state.identified(1, PUSHER, now=0)

    state.changed(1.0)
    state.changed(1.1)

    assert state.next_deadline() == 1.0 + PUSH_DELAY_SECONDS
    assert state.take_push(1.1) == []
    assert state.take_push(1.0 + PUSH_DELAY_SECONDS) == [1]
    assert state.take_push(9.0) == []


def test_push_goes_once_to_each_identified_peer_that_speaks_it(state: IdentifyState) -> None:
    for connection_id, peer in ((1, ALICE), (2, ALICE), (3, BOB)):
        state.connected(connection_id, peer, now=0)
    state.identified(1, PUSHER, now=0)
    state.identified(2, PUSHER, now=0)
    state.identified(3, IdentifyMessage(protocols=("/ipfs/id/1.0.0",)), now=0)
    state.changed(1)

    assert state.take_push(2) == [1]


def test_peer_that_pushes_without_end_is_not_heard_for_long(state: IdentifyState) -> None:
    state.connected(1, ALICE, now=0)

    assert sum(state.admit_push(1, now=0) for _ in range(1000)) == PUSH_BURST
    assert not state.admit_push(1, now=0.5)
    assert state.admit_push(1, now=1.5)
    assert sum(state.admit_push(1, now=1e6) for _ in range(1000)) == PUSH_BURST


def test_push_before_any_identify_counts_as_one(state: IdentifyState) -> None:
    state.connected(1, ALICE, now=0)

    assert state.pushed(1, PUSHER) == PUSHER


def test_older_record_does_not_replace_a_newer_one(state: IdentifyState) -> None:
    old, new = ((Multiaddr(f"/ip4/10.0.0.{n}/tcp/1"),) for n in (1, 2))
    state.connected(1, ALICE, now=0)

    assert state.certify(1, 5, new) == new
    assert state.certify(1, 4, old) == new
    assert state.certify(1, 6, old) == old


def test_observed_address_is_news_once(state: IdentifyState) -> None:
    one, two = (Multiaddr(f"/ip4/10.0.0.{n}/tcp/1") for n in (1, 2))
    state.connected(1, ALICE, now=0)

    assert [state.observe(1, seen) for seen in (one, one, two, one)] == [True, False, True, True]


def test_what_a_peer_was_told_already_is_no_news(state: IdentifyState) -> None:
    state.connected(1, ALICE, now=0)

    assert [state.tell(1, told) for told in ("a", "a", "b", "a")] == [True, False, True, True]


def test_nothing_is_remembered_of_a_connection_that_ended(state: IdentifyState) -> None:
    state.connected(1, ALICE, now=0)
    state.disconnected(1)

    assert state.identified(1, PUSHER, now=1) is None
    assert state.pushed(1, PUSHER) is None
    assert not state.admit_push(1, now=1)
    assert not state.tell(1, PUSHER)
    assert state.next_deadline() is None
