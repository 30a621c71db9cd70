"""Nobody holds the loop, comes before all others, or keeps more than the bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from peerloom_gossipsub._actions import Arrival
from peerloom_gossipsub._intake import MAX_UNFINISHED_BYTES, TURN_SECONDS, Turn, Unfinished
from peerloom_gossipsub._intake import Verifications as Waiting
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import anonymous

if TYPE_CHECKING:
    from peerloom import PeerId

MIB = 1 << 20
PER_PEER = 4 * MIB


@frozen
class Voice:
    """As much of a stream as is needed here."""

    peer: PeerId
    number: int


def stream_of(number, voice=1) -> Any:
    return Voice(peer(number), voice)


def arrival(number, data):
    return Arrival(data, anonymous("t", data), [peer(number)])


def test_each_peer_has_its_turn_however_many_another_one_has_sent():
    waiting = Waiting()
    for count in range(1000):
        waiting.add(arrival(1, b"spam %d" % count))
    for count in range(3):
        waiting.add(arrival(2, b"%d" % count))
    order = [waiting.pop() for _ in range(1003)]

    assert [each.message_id for each in order[1:6:2]] == [b"0", b"1", b"2"]
    assert [e.message_id for e in order if e.bringers == [peer(1)]] == [
        b"spam %d" % count for count in range(1000)
    ]
    assert not waiting


async def test_who_has_had_the_loop_for_long_lets_others_run():
    now = 0.0
    ran = []

    async def other():
        ran.append(now)

    turn = Turn(lambda: now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await turn.rest()
        assert not ran
        while not ran:  # trio chooses by chance
            now += TURN_SECONDS
            await turn.rest()


STREAMS = st.builds(stream_of, st.integers(1, 30), st.integers(1, 4))


@given(st.lists(st.tuples(STREAMS, st.integers(0, PER_PEER)), max_size=60))
def test_unfinished_frames_are_bounded_for_each_peer_and_for_all(steps):
    unfinished, kept = Unfinished(PER_PEER), {}
    for stream, count in steps:
        kept[stream] = count
        for given_up in unfinished.keep(stream, count):
            assert kept.pop(given_up) > 0
        assert unfinished.bytes == sum(kept.values()) <= MAX_UNFINISHED_BYTES
        assert sum(n for each, n in kept.items() if each.peer == stream.peer) <= PER_PEER


def test_what_is_kept_is_given_up_only_when_it_must_be():
    unfinished = Unfinished(PER_PEER)
    for number in range(16):
        assert unfinished.keep(stream_of(number), PER_PEER) == []
    small = stream_of(99)

    assert len(unfinished.keep(small, 1000)) == 1
    assert unfinished.keep(small, 0) == []
