"""What the router remembers of messages and peers: right, and bounded."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom_gossipsub._backoff import MAX_BACKOFF_SECONDS, Backoffs
from peerloom_gossipsub._decode import decode_message
from peerloom_gossipsub._encode import encode_message
from peerloom_gossipsub._message_cache import OVERHEAD_BYTES, MessageCache
from peerloom_gossipsub._promises import MAX_PER_PEER, Promises
from peerloom_gossipsub._seen import SeenMessages
from tests.gossipsub.peers import peer

if TYPE_CHECKING:
    from peerloom import PeerId

A, B = peer(1), peer(2)
STEPS = st.floats(0, 10)
FEW_IDS = st.sampled_from([b"1", b"2", b"3", b"4", b"5"])
FEW_PEERS = st.integers(1, 3).map(peer)
TOPICS = st.sampled_from(["t", "u"])


def message(topic="t", size=0):
    return decode_message(encode_message(topic, bytes(size)))


@given(st.lists(st.tuples(STEPS, FEW_IDS)))
def test_an_id_is_new_once_within_its_time(steps):
    seen, now = SeenMessages(12, 100), 0.0
    until: dict[bytes, float] = {}
    for step, message_id in steps:
        now += step
        seen.expire(now)
        until = {each: time for each, time in until.items() if time > now}
        assert seen.add(message_id, now) == (message_id not in until)
        until.setdefault(message_id, now + 12)
        assert len(seen) == len(until)
        assert all(each in seen for each in until)


def test_beyond_the_bound_the_oldest_id_goes_and_is_counted():
    seen = SeenMessages(12, 2)
    for message_id in (b"1", b"2", b"1", b"3"):
        seen.add(message_id, 0)

    assert [each in seen for each in (b"1", b"2", b"3")] == [False, True, True]
    assert seen.forgotten_early == 1


@given(
    st.lists(st.one_of(st.none(), st.tuples(FEW_IDS, TOPICS)), max_size=40),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_messages_are_kept_and_announced_for_so_many_heartbeats(steps, windows, gossip):
    cache = MessageCache(windows, gossip, 10**6)
    age: dict[bytes, int] = {}
    topics: dict[bytes, str] = {}
    for step in steps:
        if step is None:
            cache.shift()
            age = {each: old + 1 for each, old in age.items() if old + 1 < windows}
        elif windows:
            cache.put(step[0], message(step[1]))
            if step[0] not in age:
                age[step[0]], topics[step[0]] = 0, step[1]
    for topic in ("t", "u"):
        wanted = {each for each, old in age.items() if topics[each] == topic and old < gossip}
        listed = cache.gossip_ids(topic)
        assert set(listed) == wanted
        assert len(listed) == len(wanted)
    assert len(cache) == len(age)
    assert all(each in cache for each in age)


@given(st.lists(st.tuples(FEW_IDS, st.integers(0, 200)), max_size=30))
def test_the_cache_never_passes_its_bytes(steps):
    bound = 2 * OVERHEAD_BYTES + 500
    cache = MessageCache(3, 3, bound)
    for message_id, size in steps:
        cache.put(message_id, message(size=size))
        assert cache.bytes <= bound
    for _ in range(3):
        cache.shift()
    assert (len(cache), cache.bytes) == (0, 0)


def test_small_messages_take_no_more_memory_than_the_cache_says():
    cache = MessageCache(3, 3, 1 << 20)
    tracemalloc.start()
    try:
        for number in range(5000):
            cache.put(number.to_bytes(42, "big"), message(size=100))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert cache.given_up_early > 0
    assert taken <= 1.2 * cache.bytes


def test_the_oldest_messages_are_given_up_first():
    cache = MessageCache(3, 3, 2 * OVERHEAD_BYTES + 300)
    for message_id in (b"1", b"2", b"3"):
        cache.put(message_id, message(size=60))

    assert cache.gossip_ids("t") == [b"2", b"3"]
    assert cache.given_up_early == 1


def test_a_peer_is_given_a_message_so_many_times():
    cache = MessageCache(3, 3, 10**6)
    cache.put(b"1", message())

    assert [cache.get_for(A, b"1", 2) for _ in range(3)] == [message(), message(), None]
    assert cache.get_for(B, b"1", 2) == message()
    assert cache.get_for(A, b"2", 2) is None


class PromisesModel:
    """The same, without an index."""

    def __init__(self):
        self.owed = {}

    def add(self, by, message_id, until):
        self.owed.setdefault((by, message_id), until)

    def fulfil(self, message_id):
        self.owed = {key: until for key, until in self.owed.items() if key[1] != message_id}

    def forget(self, by):
        self.owed = {key: until for key, until in self.owed.items() if key[0] != by}

    def take_broken(self, now):
        broken = [key for key, until in self.owed.items() if until <= now]
        for key in broken:
            del self.owed[key]
        return {by: sum(key[0] == by for key in broken) for by, _ in broken}


PROMISE_STEPS = st.one_of(
    st.tuples(st.just("add"), FEW_PEERS, FEW_IDS, st.integers(0, 10)),
    st.tuples(st.just("fulfil"), FEW_IDS),
    st.tuples(st.just("forget"), FEW_PEERS),
    st.tuples(st.just("take_broken"), st.integers(0, 10)),
)


@given(st.lists(PROMISE_STEPS, max_size=40))
def test_promises_are_kept_broken_or_void(steps):
    promises, model = Promises(), PromisesModel()
    for name, *arguments in steps:
        given_back = getattr(promises, name)(*arguments)
        assert (given_back or {}) == (getattr(model, name)(*arguments) or {})
        assert len(promises) == len(model.owed)


def test_a_peer_owes_no_more_than_the_bound():
    promises = Promises()
    for number in range(1000):
        promises.add(A, number.to_bytes(2, "big"), 1.0)

    assert promises.take_broken(1.0) == {A: MAX_PER_PEER}
    assert len(promises) == 0


BACKOFF_STEPS = st.tuples(st.floats(0, 30), TOPICS, FEW_PEERS, st.floats(-5, 60))


@given(st.lists(BACKOFF_STEPS, max_size=30))
def test_a_backoff_holds_both_sides_and_never_gets_shorter(steps):
    backoffs, now = Backoffs(2.0), 0.0
    until: dict[tuple[str, PeerId], float] = {}
    for step, topic, who, seconds in steps:
        now += step
        backoffs.expire(now)
        backoffs.start(topic, who, seconds, now)
        until[topic, who] = max(until.get((topic, who), 0.0), now + max(seconds, 0.0))
        for (of, whom), time in until.items():
            assert (backoffs.ends_at(of, whom, now) is not None) == (time > now)
            if backoffs.may_graft(of, whom, now):
                assert time <= now
            if time > now:
                assert not backoffs.may_graft(of, whom, time + 1.9)
            assert backoffs.may_graft(of, whom, time + 2.1)
    backoffs.expire(now + 100)
    assert len(backoffs) == 0


@pytest.mark.parametrize("asked", [2**31, 2**63 - 1, 2**64 - 1])
def test_advisory_13_no_peer_can_ask_for_more_than_an_hour(asked):
    backoffs = Backoffs(1.0)

    backoffs.start("t", A, asked, 5.0)

    assert backoffs.ends_at("t", A, 5.0) == 5.0 + MAX_BACKOFF_SECONDS


def test_backoffs_are_bounded_and_the_one_begun_first_goes():
    backoffs = Backoffs(1.0, 3)
    for number in (1, 2, 3, 1, 4):
        backoffs.start("t", peer(number), 10 + number, 0.0 if number > 1 else 1.0)

    kept = [number for number in range(1, 5) if backoffs.ends_at("t", peer(number), 1.0)]
    assert kept == [2, 3, 4]
    backoffs.start("t", peer(2), 20, 1.0)
    backoffs.start("t", peer(5), 20, 1.0)
    assert backoffs.ends_at("t", peer(2), 1.0)
    assert not backoffs.ends_at("t", peer(3), 1.0)
