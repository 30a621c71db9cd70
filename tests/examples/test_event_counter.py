"""examples/event_counter.py"""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.event_counter import CountEvents, EventCounter, main
from peerloom import NetworkConfig, Node, PeerConnected

if TYPE_CHECKING:
    import pytest


async def test_it_counts_what_happens() -> None:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)
    async with Node(config, plugins=[EventCounter()]) as node, Node() as visitor:
        async with node.client.events(PeerConnected) as events:
            await visitor.client.dial(node.addresses[0])
            await anext(events)
        counts = await node.client.call(CountEvents())
        status = await node.client.status()
        later = await node.client.call(CountEvents())

    assert counts["ListeningOn"] == counts["NodeStarted"] == counts["PeerConnected"] == 1
    told = status["plugins"]["event-counter"]["report"]["events"]
    assert sum(counts.values()) <= told <= sum(later.values())


async def test_its_program_prints_a_line_for_each_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await main()

    assert "   1 PeerConnected\n" in capsys.readouterr().out
