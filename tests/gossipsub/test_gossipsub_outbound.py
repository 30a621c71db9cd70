"""The queue to one peer: in order, by priority, bounded, and it knows when a peer is slow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom_gossipsub._actions import Priority
from peerloom_gossipsub._encode import framed
from peerloom_gossipsub._outbound import MAX_CONTROL_BYTES, OutboundQueue

CONTROL, DATA, GOSSIP = Priority
FRAMES = st.lists(st.integers(0, 80), min_size=1, max_size=3)
STEPS = st.one_of(
    st.tuples(st.sampled_from(list(Priority)), FRAMES), st.tuples(st.none(), st.integers(1, 200))
)


@given(st.lists(STEPS, max_size=40), st.integers(50, 300))
def test_what_was_taken_in_comes_out_once_in_order_control_first(steps, bound):
    queue = OutboundQueue(bound)
    waiting: dict[Priority, list[bytes]] = {each: [] for each in Priority}
    for number, (priority, argument) in enumerate(steps):
        if priority is not None:
            frames = [bytes([number]) * size for size in argument]
            before = queue.bytes
            if queue.offer(priority, frames, 0.0):
                waiting[priority] += frames
            else:
                assert queue.bytes == before
                assert priority is not CONTROL
        else:
            pulled = queue.pull(argument)
            assert bool(pulled) == any(waiting.values())
            assert len(pulled) <= 1 or sum(map(len, pulled)) <= argument + len(pulled)
            for frame in pulled:
                first = next(each for each in Priority if waiting[each])
                assert frame == framed(waiting[first].pop(0))
        data = sum(map(len, waiting[DATA]))
        assert queue.bytes == sum(len(frame) for each in waiting.values() for frame in each)
        assert data <= max(bound, 240)
        assert data + sum(map(len, waiting[GOSSIP])) <= 2 * max(bound, 240)
        assert len(queue) == sum(map(len, waiting.values()))


def test_gossip_takes_no_room_from_data_and_is_refused_first():
    queue = OutboundQueue(1000)
    while queue.offer(GOSSIP, [bytes(100)], 0):
        pass

    assert queue.bytes == 1000
    assert queue.offer(DATA, [bytes(1000)], 0)
    assert not queue.offer(DATA, [bytes(1)], 0)
    assert queue.offer(CONTROL, [bytes(1000)], 0)
    assert queue.pull(2000) == [framed(bytes(1000))] * 2
    assert not queue.offer(GOSSIP, [bytes(100)], 0)
    assert queue.refused == {GOSSIP: 2, DATA: 1}


@pytest.mark.parametrize("priority", Priority)
def test_what_is_larger_than_the_queue_is_taken_when_nothing_else_waits(priority):
    queue = OutboundQueue(1000)

    assert queue.offer(priority, [bytes(5000)] * 250, 0)
    assert not queue.offer(priority, [b"x"], 0)
    assert [len(each) for each in queue.pull(1)] == [5002]


def test_control_for_a_peer_that_reads_nothing_is_refused_at_last():
    queue = OutboundQueue(1000)
    frames = [bytes(1024)]
    taken = sum(queue.offer(CONTROL, frames, 0) for _ in range(5000))

    assert taken * 1024 == MAX_CONTROL_BYTES


def test_a_peer_is_slow_from_the_first_refusal_until_something_is_taken_out():
    queue = OutboundQueue(100)
    queue.offer(DATA, [bytes(100)], 10)
    assert queue.full_for(15) == 0
    queue.offer(GOSSIP, [bytes(100)], 11)
    assert queue.full_for(15) == 0
    queue.offer(DATA, [bytes(100)], 12)
    queue.offer(DATA, [bytes(100)], 14)
    assert queue.full_for(15) == 3
    queue.pull(1000)
    assert queue.full_for(15) == 0
