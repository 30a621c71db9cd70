"""The event loop of a node: ``python -m benchmarks.workers.dispatching asyncio|trio``."""

from __future__ import annotations

import sys
from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import frozen

from peerloom import Event, NetworkConfig, Node
from peerloom.plugin import PluginInfo, hookimpl

from .channel import Channel

if TYPE_CHECKING:
    from peerloom.plugin import EventHandler, PluginContext

    from .channel import Commands

Fields = dict[str, Any]

PLUGINS: Final = 8


@frozen
class Happened(Event):
    """What the swarm might tell."""

    number: int


class Hearing:
    """A plugin that hears every event."""

    def __init__(self, number: int) -> None:
        self.info = PluginInfo(name=f"hearing-{number}")
        self.heard = 0
        self._wanted = 0
        self._done = anyio.Event()

    @hookimpl
    def peerloom_event_handlers(self, ctx: PluginContext) -> list[EventHandler]:  # noqa: ARG002
        """The one handler."""
        return [Happened.heard_by(self._on_event)]

    def expect(self, count: int) -> None:
        """Count anew, up to this many."""
        self.heard, self._wanted, self._done = 0, count, anyio.Event()

    async def wait(self) -> None:
        """Until all have been heard."""
        await self._done.wait()

    def _on_event(self, event: Happened) -> None:
        if event.number == self.heard:  # in order, and each once
            self.heard += 1
        if self.heard == self._wanted:
            self._done.set()


async def _main() -> None:
    plugins = [Hearing(number) for number in range(PLUGINS)]
    async with Node(NetworkConfig(), plugins=plugins) as node:
        put = node._loop.swarm_events.put  # noqa: SLF001 - where the swarm puts its events

        async def start() -> Fields:
            facts = {"implementation": "peerloom", "version": version("peerloom")}
            return {"peer": str(node.peer_id), "addresses": [], **facts}

        async def dispatch(count: int) -> Fields:
            events = [Happened(number) for number in range(count)]
            for plugin in plugins:
                plugin.expect(count)
            begun = perf_counter()
            for event in events:
                await put(event)
            for plugin in plugins:
                await plugin.wait()
            seconds = perf_counter() - begun
            return {"seconds": seconds, "heard": [plugin.heard for plugin in plugins]}

        commands: Commands = {"start": start, "dispatch": dispatch}
        await Channel().serve(commands)


anyio.run(_main, backend=sys.argv[1])
