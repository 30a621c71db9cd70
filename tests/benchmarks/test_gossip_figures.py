"""What the gossipsub benchmarks make of what their nodes report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from benchmarks.benchmark import WrongData
from benchmarks.cases.gossip_latency import latencies
from benchmarks.cases.gossiping import MESSAGE_BYTES, Gossips, edges
from benchmarks.cases.highest_rate import AS_FAST_AS_CAN_BE, highest_rate
from benchmarks.workers.messages import Heard, digest_of, message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

MESSAGES = [message(number, MESSAGE_BYTES) for number in range(200)]


class Side:
    """A worker that reports what it is told to."""

    def __init__(self, *heard: Sequence[bytes]) -> None:
        self._heard = [Heard() for _ in heard]
        for node, messages in zip(self._heard, heard, strict=True):
            for each in messages:
                node.take(each)

    async def request(self, do: str, **_fields: object) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return {"nodes": [node.report() for node in self._heard]} if do == "received" else {}


def _loses_above(limit: float, asked: list[float]) -> Callable[[float], Awaitable[float | None]]:
    async def trial(rate: float) -> float | None:
        await anyio.lowlevel.checkpoint()
        asked.append(rate)
        return None if rate == AS_FAST_AS_CAN_BE or rate > limit else rate

    return trial


async def test_highest_rate_is_found_by_halving() -> None:
    asked: list[float] = []
    assert await highest_rate(_loses_above(300, asked), start=1024, steps=3) == 288
    assert asked == [AS_FAST_AS_CAN_BE, 1024, 512, 256, 384, 320, 288]


async def test_whoever_loses_nothing_is_measured_once() -> None:
    async def trial(_rate: float) -> float:
        await anyio.lowlevel.checkpoint()
        return 5000.0

    assert await highest_rate(trial, start=1024, steps=3) == 5000


async def test_whoever_always_loses_has_no_rate() -> None:
    with pytest.raises(LookupError):
        await highest_rate(_loses_above(0, []), start=16, steps=3)


def test_no_two_messages_are_alike_and_each_has_its_size() -> None:
    assert len(set(MESSAGES)) == len(MESSAGES)
    assert {len(each) for each in MESSAGES} == {MESSAGE_BYTES}


def test_digest_does_not_depend_on_the_order_but_on_every_message() -> None:
    digest = digest_of(MESSAGES)
    assert digest_of(reversed(MESSAGES)) == digest
    assert digest_of(MESSAGES[1:]) != digest
    assert digest_of([*MESSAGES[1:], MESSAGES[1]]) != digest


async def test_a_node_hears_all_but_its_own_messages() -> None:
    gossips = _gossips(
        Side(MESSAGES[120:], MESSAGES), Side(MESSAGES[:120], MESSAGES), published=len(MESSAGES)
    )
    shares = (120, 80)
    assert gossips.wanted(shares) == [80, 200, 120, 200]
    assert (await gossips.received(shares)).counts == [80, 200, 120, 200]


async def test_a_message_too_few_is_seen_in_the_counts() -> None:
    gossips = _gossips(Side([]), Side(MESSAGES[1:]), published=len(MESSAGES))
    assert (await gossips.received((200, 0))).counts == [0, 199]


async def test_a_message_twice_in_the_place_of_another_is_wrong_data() -> None:
    twice = [*MESSAGES[1:], MESSAGES[1]]
    gossips = _gossips(Side([]), Side(twice), published=len(MESSAGES))
    with pytest.raises(WrongData, match="other messages"):
        await gossips.received((200, 0))


def test_latency_runs_until_the_last_node_has_the_message() -> None:
    arrivals = [{7: 10.001, 8: 10.102}, {7: 10.003}, {8: 10.101}]
    assert latencies([10.0, 10.1], arrivals, first=7) == pytest.approx([2, 3])


def test_two_nodes_have_one_connection_and_each_of_ten_has_four() -> None:
    assert edges(2) == {(0, 1)}
    ends = [end for edge in edges(10) for end in edge]
    assert {ends.count(node) for node in range(10)} == {4}


def _gossips(one: Side, other: Side, published: int) -> Gossips:
    nodes = len(one._heard)
    sides: Any = (one, other)
    return Gossips("js-libp2p", sides, nodes, signed=True, published=published)
