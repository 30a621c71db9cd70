"""Nodes and plugins for tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl
from peerloom.testing import Nodes, no_leaks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from peerloom import Node, Stream

E = TypeVar("E")

LOOPBACK = "/ip4/127.0.0.1/tcp/0"


class Serving:
    """A plugin that serves protocols by the functions given."""

    def __init__(
        self, _name: str = "serving", /, **protocols: Callable[[Stream], Awaitable[None]]
    ) -> None:
        self.info = PluginInfo(_name)
        self._behaviour = Behaviour()
        self._behaviour.protocols = {
            f"/{name}/1": InboundProtocol(handler) for name, handler in protocols.items()
        }

    @hookimpl
    def peerloom_behaviours(self, ctx: Any) -> list[Behaviour]:
        return [self._behaviour]


async def echo(stream: Stream) -> None:
    """Send back what comes, until it ends."""
    async for chunk in stream:
        await stream.send(chunk)
    await stream.aclose()


async def heard(events: AsyncIterator[Any], kind: type[E]) -> E:
    """The next event, which must be of that kind."""
    event = await anext(events)
    assert isinstance(event, kind), event
    return event


@asynccontextmanager
async def two_nodes(
    *plugins: object, security: tuple[str, ...] = ("tls", "noise"), **settings: Any
) -> AsyncGenerator[tuple[Node, Node]]:
    """A node that serves the plugins and listens, and one that is connected to it."""
    async with no_leaks(), Nodes() as nodes:
        [serving] = await nodes(plugins=plugins, security=security, **settings)
        [asking] = await nodes(listen=(), security=security, **settings)
        await nodes.connect(asking, serving)
        yield asking, serving
