"""Real nodes on loopback for the tests of identify, ping and perf."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from peerloom import Lagged, ListeningOn, Node
from peerloom._config import PluginSelection
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl
from peerloom.testing import Nodes, no_leaks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from multiaddr import Multiaddr

    from peerloom import ConnectionInfo, Stream

E = TypeVar("E")

LIMIT_SECONDS = 15.0


class Serves:
    """A plugin that serves one protocol with the function that it is given."""

    def __init__(self, protocol: str, handler: Callable[[Stream], Awaitable[None]]) -> None:
        self.info = PluginInfo("serves")
        self._behaviour = Behaviour()
        self._behaviour.protocols = {protocol: InboundProtocol(handler, holds_connection=False)}

    @hookimpl
    def peerloom_behaviours(self) -> list[Behaviour]:
        return [self._behaviour]


@asynccontextmanager
async def started_node(
    *plugins: object, without: tuple[str, ...] = (), keep_alive: float = 30.0, **settings: Any
) -> AsyncGenerator[Node, None]:
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes(
            plugins=plugins,
            selection=PluginSelection(disabled=without),
            keep_alive_seconds=keep_alive,
            settings=settings,
        )
        yield node


async def listen_address(node: Node) -> Multiaddr:
    async with node.client.events(ListeningOn) as events:
        event: ListeningOn = await next_event(events)
    return event.address


async def connect(one: Node, other: Node) -> ConnectionInfo:
    return await one.client.dial(other.peer_id, [await listen_address(other)])


async def next_event(events: Any, matches: Callable[[Any], bool] = lambda _: True) -> Any:
    with anyio.fail_after(LIMIT_SECONDS):
        async for event in events:
            assert not isinstance(event, Lagged)
            if matches(event):
                return event
    raise AssertionError("the node stopped")
