"""A plugin in one file: counts what happens in a node, by tapping the event loop.

    python examples/event_counter.py

A plugin of your own becomes a distribution by an entry point; then it is in every node of the
environment, `peerloom run` included, and `peerloom plugins` lists it::

    [project.entry-points."peerloom.plugins"]
    event-counter = "event_counter:plugin"

Until then a program hands it to its node. If it raises, it is switched off; the node goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from typing import Any

import anyio
from attrs import frozen

from peerloom import Command, Event, NetworkConfig, Node
from peerloom.plugin import CommandHandler, PluginInfo, hookimpl


@frozen
class CountEvents(Command[Mapping[str, int]]):
    """How often each event has happened since the node started, by its name."""


class EventCounter:
    """Counts for whatever nodes it is given to: the tap is not told which of them it is in."""

    info = PluginInfo("event-counter")

    def __init__(self) -> None:
        self._counts = Counter[str]()

    @hookimpl(wrapper=True)
    def peerloom_dispatch(self, item: object) -> Generator[None, bool | None, bool | None]:
        """Around each event, command, timer and incoming stream that the loop takes."""
        handled = yield  # before this nobody has heard of it, after it everybody has
        if isinstance(item, Event):
            self._counts[type(item).__name__] += 1
        return handled

    @hookimpl
    def peerloom_command_handlers(self) -> list[CommandHandler]:
        """What it answers; a plain function answers at once, an async one in a task."""
        return [CountEvents.handled_by(self._count)]

    @hookimpl
    def peerloom_status(self) -> Mapping[str, Any]:
        """What `status` says of it."""
        return {"events": self._counts.total()}

    def _count(self, _: CountEvents) -> Mapping[str, int]:
        return dict(self._counts)


plugin = EventCounter()


async def main() -> None:
    """Two nodes meet and part; what has one of them seen?"""
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"])
    async with Node(config, plugins=[EventCounter()]) as node, Node() as visitor:
        connection = await visitor.client.dial(node.addresses[0])
        await visitor.client.ping(connection.peer)
        counts = await node.client.call(CountEvents())
        for name, count in sorted(counts.items()):
            print(f"{count:4} {name}")
        status = await node.client.status()
        print(status["plugins"][EventCounter.info.name]["report"])


if __name__ == "__main__":
    anyio.run(main)
