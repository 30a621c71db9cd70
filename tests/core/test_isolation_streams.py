"""A stream handler that raises resets its stream, and in the end closes a peer's connections."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from peerloom._errors import RemoteProtocolError, StreamReset
from peerloom._events import PluginFailed
from peerloom.testing import until
from tests.core.plugin_kit import (
    ALICE,
    BOB,
    incoming,
    plugin,
    running,
    state_of,
)


class TestStreams:
    async def test_raising_handler_resets_its_stream_and_is_reported(self) -> None:
        async def handler(stream: Any) -> None:
            raise ValueError("boom")

        one = plugin()
        async with running(one) as bench:
            item, stream = incoming(handler)
            bench.loop.incoming_streams.try_put(item)
            failed = await bench.recorder.next(PluginFailed)
            assert stream.was_reset
            assert (failed.where, failed.peer) == ("stream handler /test/1", ALICE)
            assert state_of(bench) == "running"

    async def test_third_failure_of_one_peer_within_a_minute_closes_its_connections(self) -> None:
        async def handler(stream: Any) -> None:
            raise ValueError("boom")

        async with running(plugin()) as bench:
            for peer in (ALICE, BOB, ALICE, BOB, ALICE):
                bench.loop.incoming_streams.try_put(incoming(handler, peer)[0])
                await bench.recorder.next(PluginFailed)
            await until(lambda: bench.swarm.disconnected)
            bench.runtime.advance(61)
            bench.loop.incoming_streams.try_put(incoming(handler, BOB)[0])
            await bench.recorder.next(PluginFailed)
            assert [peer for peer, _ in bench.swarm.disconnected] == [ALICE]

    @pytest.mark.parametrize("error", [StreamReset("gone"), anyio.EndOfStream()])
    async def test_end_of_the_stream_is_nobodys_fault(self, error: Exception) -> None:
        async def handler(stream: Any) -> None:
            raise error

        async with running(plugin(), strict=True) as bench:
            for _ in range(3):
                item, stream = incoming(handler)
                bench.loop.incoming_streams.try_put(item)
                await stream.wait_reset()
            await bench.settle()
            assert not bench.swarm.disconnected
            assert bench.loop.failures.count == 0

    async def test_fault_of_the_peer_is_a_strike_and_no_failure_of_the_plugin(self) -> None:
        async def handler(stream: Any) -> None:
            raise RemoteProtocolError("garbage")

        async with running(plugin(), strict=True) as bench:
            for _ in range(3):
                bench.loop.incoming_streams.try_put(incoming(handler)[0])
            await until(lambda: bench.swarm.disconnected)
            assert bench.loop.failures.count == 0

    async def test_streams_are_reset_when_the_plugin_stops(self) -> None:
        item, stream = incoming(lambda s: s.receive())
        async with running(plugin()) as bench:
            bench.loop.incoming_streams.try_put(item)
            await bench.settle()
        assert stream.was_reset

    async def test_handler_that_returns_keeps_its_stream_open(self) -> None:
        async def handler(stream: Any) -> None:
            kept.append(stream)

        kept: list[Any] = []
        item, stream = incoming(handler)
        async with running(plugin()) as bench:
            bench.loop.incoming_streams.try_put(item)
            await until(lambda: kept)
        assert not stream.was_reset
