"""Two engines send on many streams at once, in virtual time: none waits for ever."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._transports._quic_engine import MOST_DATAGRAMS, StreamData
from peerloom._transports._quic_qh3_outgoing import (
    MOST_STREAMS,
    SHORT_BYTES,
    SPARE_STREAMS,
    TURN_BYTES,
    Outgoing,
)
from peerloom._transports._quic_selftest import MemoryPair

from .quic_kit import PAIRS, engines
from .security_kit import ALICE, BOB

AT = (("127.0.0.1", 1), ("127.0.0.1", 2))
BYTES = 1_000_000
DELAY_SECONDS = 0.001
LOST_PART = 0.01


class Wire:
    """What two engines say to each other, on its way."""

    def __init__(self, pair, lost_part, seed):
        self.ends = (pair.dialer, pair.listener)
        self.got: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self.ended: tuple[set[int], set[int]] = (set(), set())
        self.now = 1.0
        self.most_at_a_time = 0
        self._lost_part = lost_part
        self._chance = random.Random(seed)
        self._under_way = []
        self._order = count()

    def transmit(self, side):
        more = True
        while more:
            datagrams = self.ends[side].datagrams_to_send(self.now)
            more = len(datagrams) == MOST_DATAGRAMS
            self.most_at_a_time = max(self.most_at_a_time, len(datagrams))
            self._carry(side, datagrams)

    def _carry(self, side, datagrams):
        for data, _ in datagrams:
            if self._chance.random() >= self._lost_part:
                arrival = (self.now + DELAY_SECONDS, next(self._order), 1 - side, data)
                heapq.heappush(self._under_way, arrival)

    def step(self):
        """Let the next thing happen: something arrives, or a timer is due."""
        timers = [(end.timer() or self.now + 1, side) for side, end in enumerate(self.ends)]
        due, side = min(timers)
        if self._under_way and self._under_way[0][0] <= due:
            self.now, _, side, data = heapq.heappop(self._under_way)
            self.ends[side].receive(data, len(data), AT[1 - side], self.now)
        else:
            self.now = max(self.now, due)
            self.ends[side].handle_timer(self.now)
        self._take_events(side)
        self.transmit(side)

    def _take_events(self, side):
        while (event := self.ends[side].next_event()) is not None:
            if isinstance(event, StreamData):
                self.got[side][event.stream_id] += len(event.data)
                if event.end:
                    self.ended[side].add(event.stream_id)


def all_sent_both_ways(names, streams, lost_part=0.0, seed=1):
    """How long it takes until both have all that the other one sends on so many streams."""
    dialing, listening = engines(names[0], ALICE), engines(names[1], BOB)
    pair = MemoryPair(dialing.dial(AT[1], None, 0.0), listening)
    pair.exchange()
    wire = Wire(pair, lost_part, seed)
    ids = [wire.ends[0].open_stream() for _ in range(streams)]
    for stream_id in ids:
        wire.ends[0].send(stream_id, b"!")
    wire.transmit(0)
    while len(wire.got[1]) < streams:
        wire.step()
    began_at = wire.now
    for stream_id in ids:
        for end in wire.ends:
            end.send(stream_id, bytes(BYTES // streams), end=True)
    for side in (0, 1):
        wire.transmit(side)
    while not all(len(ended) == streams for ended in wire.ended):
        wire.step()
        assert wire.now - began_at < 60, (wire.got, [end.ending for end in wire.ends])
    assert wire.got[0] == dict.fromkeys(ids, BYTES // streams)
    assert wire.got[1] == dict.fromkeys(ids, BYTES // streams + 1)
    assert all(end.unsent() == 0 for end in wire.ends)
    return wire.now - began_at


@pytest.mark.parametrize("streams", [1, 20, 100])
@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_what_both_send_on_many_streams_at_once_arrives(names, streams) -> None:
    assert all_sent_both_ways(names, streams) < 1


@pytest.mark.parametrize("seed", range(3))
def test_it_arrives_although_some_is_lost(seed: int) -> None:
    alone = all_sent_both_ways(("qh3", "qh3"), 1, LOST_PART, seed)

    assert all_sent_both_ways(("qh3", "qh3"), 100, LOST_PART, seed) < alone + 1


@pytest.mark.parametrize(
    ("name", "nbytes", "most"),
    [("qh3", 4 * BYTES, MOST_DATAGRAMS), ("aioquic", BYTES // 2, 17)],
)
def test_however_much_a_path_takes_little_is_given_at_a_time(name, nbytes, most) -> None:
    """aioquic paces what it sends: 16 datagrams, and one that acknowledges."""
    pair = MemoryPair(engines(name, ALICE).dial(AT[1], None, 0.0), engines(name, BOB))
    pair.exchange()
    wire = Wire(pair, 0.0, 1)
    ids = [wire.ends[0].open_stream() for _ in range(8)]
    for stream_id in ids:
        assert stream_id is not None
        wire.ends[0].send(stream_id, bytes(nbytes), end=True)
    wire.transmit(0)
    while len(wire.ended[1]) < len(ids):
        wire.step()
    assert wire.most_at_a_time == most


# --- what waits for its turn -----------------------------------------------------------------


class Given:
    """What an engine has been given and not sent, and what it has sent."""

    def __init__(self):
        self.left: Counter[int] = Counter()
        self.sent = {}
        self.ended = []
        self.over: set[int] = set()
        self.outgoing = Outgoing(self.give, lambda stream_id: self.left[stream_id])

    def give(self, stream_id, data, end):
        if stream_id in self.over:
            return False
        assert stream_id not in self.ended
        self.left[stream_id] += len(data)
        self.sent[stream_id] = self.sent.get(stream_id, b"") + bytes(data)
        if end:
            self.ended.append(stream_id)
        return True

    def busy(self):
        return sum(1 for left in self.left.values() if left)


SENDS = st.tuples(st.integers(0, 9), st.binary(max_size=3 * TURN_BYTES), st.sampled_from([False]))
ENDS = st.tuples(st.integers(0, 9), st.just(b""), st.sampled_from([True]))
SENT = st.tuples(st.just("sent"), st.integers(0, 9))
REFILL = st.just(("refill",))


@given(st.lists(SENDS | ENDS | SENT | REFILL, max_size=40))
def test_bytes_keep_their_order_and_few_streams_have_some_with_the_engine(steps) -> None:
    engine = Given()
    said: dict[int, bytes] = {}
    ended: set[int] = set()
    for step in steps:
        match step:
            case ("refill",):
                engine.outgoing.refill()
            case ("sent", stream_id):
                engine.left[stream_id] = 0
            case (stream_id, data, end) if stream_id not in ended:
                engine.outgoing.send(stream_id, data, end=end)
                said[stream_id] = said.get(stream_id, b"") + data
                ended |= {stream_id} if end else set()
        assert engine.busy() <= MOST_STREAMS + SPARE_STREAMS
    for stream_id, data in said.items():
        on_its_way = len(engine.sent.get(stream_id, b""))
        assert engine.outgoing.waiting(stream_id) == len(data) - on_its_way
    engine.left.clear()
    while engine.outgoing.refill():
        engine.left.clear()
    assert {key: value for key, value in engine.sent.items() if value} == {
        key: value for key, value in said.items() if value
    }
    assert sorted(engine.ended) == sorted(ended)
    assert engine.outgoing.bytes == 0


LONG = bytes(SHORT_BYTES + 1)


def full() -> Given:
    """One that has as much of streams 0, 1, … as it may have."""
    engine = Given()
    for stream_id in range(MOST_STREAMS):
        engine.outgoing.send(stream_id, LONG, end=False)
    assert engine.busy() == MOST_STREAMS
    return engine


def test_who_waits_comes_before_who_had_a_turn() -> None:
    engine = full()
    engine.outgoing.send(9, LONG, end=False)
    engine.left[0] = 0
    engine.outgoing.send(0, LONG, end=False)
    assert engine.outgoing.bytes == 2 * len(LONG)

    assert engine.outgoing.refill()
    assert engine.sent[9] == LONG
    assert engine.outgoing.waiting(0) == len(LONG)


def test_what_is_short_waits_for_no_turn_unless_much_is() -> None:
    engine = full()
    engine.outgoing.send(9, LONG, end=False)
    for stream_id in range(10, 10 + SPARE_STREAMS):
        engine.outgoing.send(stream_id, b"short", end=False)
        assert engine.sent[stream_id] == b"short"
        engine.outgoing.send(stream_id, b"more", end=False)
        assert engine.outgoing.waiting(stream_id) == len(b"more")
    engine.outgoing.send(20, b"short", end=False)
    assert engine.outgoing.waiting(20) == len(b"short")
    engine.left[10] = 0
    engine.outgoing.send(21, b"short", end=True)
    assert engine.ended == [21]
    assert not engine.outgoing.refill()


def test_streams_whose_receivers_hold_them_keep_no_turn() -> None:
    engine = full()
    engine.outgoing.send(9, LONG, end=False)
    assert not engine.outgoing.refill()
    engine.outgoing.park()

    assert engine.outgoing.refill()
    assert engine.sent[9] == LONG


def test_what_nobody_wants_any_more_is_dropped() -> None:
    engine = full()
    engine.over = {7}
    engine.outgoing.send(7, bytes(2 * TURN_BYTES), end=True)
    engine.outgoing.send(8, LONG, end=False)
    engine.outgoing.drop(8)
    assert engine.outgoing.bytes == 2 * TURN_BYTES
    engine.left.clear()
    engine.outgoing.refill()

    assert engine.outgoing.bytes == 0
    assert set(engine.sent) == set(range(MOST_STREAMS))
    assert engine.outgoing.send(7, b"more", end=False) is False
