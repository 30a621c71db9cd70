"""The plugin alone: the test plays its peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerloom import MalformedMessage
from peerloom_counter import COUNTER_PROTOCOL, CounterChanged, Counters
from peerloom_counter._plugin import CounterPlugin

if TYPE_CHECKING:
    from peerloom import Stream
    from peerloom.testing import Plugins


async def test_the_bytes_are_as_documented(plugins: Plugins) -> None:
    async with plugins.running(CounterPlugin()) as bench:
        ann = bench.swarm.add_peer("ann")
        async with await ann.open_stream(COUNTER_PROTOCOL) as stream:
            await stream.send((3).to_bytes(8) + b"visits")
            await stream.send_eof()
            assert await stream.receive() == b"+" + (3).to_bytes(8)
        assert await bench.heard.next(CounterChanged) == CounterChanged("visits", 3, ann.peer_id)


async def test_a_peer_that_answers_nonsense_is_found_out(plugins: Plugins) -> None:
    async def babble(stream: Stream) -> None:
        await stream.receive()
        await stream.send(b"forty-two")
        await stream.aclose()

    async with plugins.running(CounterPlugin()) as bench:
        ben = bench.swarm.add_peer("ben", {COUNTER_PROTOCOL: babble})
        with pytest.raises(MalformedMessage, match="neither a value nor a refusal"):
            await Counters(bench.client).value(ben.peer_id, "visits")
