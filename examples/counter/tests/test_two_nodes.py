"""Two nodes on this machine, and what one counts for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerloom_counter import CounterChanged, CounterConfig, CounterRefused, Counters

if TYPE_CHECKING:
    from peerloom.testing import Nodes


async def test_a_peer_counts_and_tells(nodes: Nodes) -> None:
    ann, ben = await nodes(2, connected=True)
    heard = nodes.record(ben, CounterChanged)
    counters = Counters(ann.client)

    assert await counters.value(ben.peer_id, "visits") == 0
    assert await counters.increment(ben.peer_id, "visits") == 1
    assert await counters.increment(str(ben.peer_id), "visits", by=41) == 42
    assert await counters.value(ben.peer_id, "visits") == 42
    assert await counters.value(ben.peer_id, "guests") == 0

    assert await heard.next(CounterChanged) == CounterChanged("visits", 1, ann.peer_id)
    assert await heard.next(CounterChanged) == CounterChanged("visits", 42, ann.peer_id)
    await heard.nothing(CounterChanged)


async def test_each_node_has_its_own_numbers(nodes: Nodes) -> None:
    ann, ben = await nodes(2, connected=True)

    await Counters(ann.client).increment(ben.peer_id, "visits")

    assert await Counters(ben.client).value(ann.peer_id, "visits") == 0


async def test_over_the_largest_value_the_caller_hears_why(nodes: Nodes) -> None:
    ann, ben = await nodes(2, connected=True, settings={"counter": CounterConfig(max_value=10)})
    counters = Counters(ann.client)
    await counters.increment(ben.peer_id, "visits", by=10)

    with pytest.raises(CounterRefused, match="it would be 11, over the largest, 10"):
        await counters.increment(ben.peer_id, "visits")
    assert await counters.value(ben.peer_id, "visits") == 10


async def test_over_the_most_names_the_caller_hears_why(nodes: Nodes) -> None:
    ann, ben = await nodes(2, connected=True, settings={"counter": CounterConfig(max_names=1)})
    counters = Counters(ann.client)
    await counters.increment(ben.peer_id, "visits")

    with pytest.raises(CounterRefused, match="it keeps 1 numbers at most"):
        await counters.increment(ben.peer_id, "guests")
    assert await counters.increment(ben.peer_id, "visits") == 2
