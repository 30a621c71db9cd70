"""Ours: ``python -m benchmarks.workers.ours asyncio|trio``, a node with default settings."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anyio

from peerloom import NetworkConfig, Node
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from .host import Duplex, Host
from .worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskStatus

    from peerloom import Stream
    from peerloom.plugin import PluginContext

Fields = dict[str, Any]


class OurDuplex(Duplex):
    """A stream of ours."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.send = stream.send  # type: ignore[method-assign]
        self.receive = stream.receive  # type: ignore[method-assign]

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._stream.send(data)

    async def receive(self) -> bytes:
        """What has come."""
        return await self._stream.receive()

    async def close(self) -> None:
        """Close both halves."""
        await self._stream.aclose()
