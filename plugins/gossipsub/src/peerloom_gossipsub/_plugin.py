"""The entry point: `plugin`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from peerloom.plugin import ConfigSection, PluginInfo, hookimpl

from ._behaviour import GossipsubBehaviour
from ._config import GossipsubConfig
from ._wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractAsyncContextManager

    from peerloom.plugin import Behaviour, CommandHandler, EventHandler, PluginContext, SwarmApi


class GossipsubPlugin:
    """Publishes to topics and hears them."""

    info = PluginInfo("gossipsub", provides=frozenset({"pubsub"}))

    def __init__(self) -> None:
        self._behaviours: dict[PluginContext, GossipsubBehaviour] = {}
        self._wishes: WeakKeyDictionary[SwarmApi, Wishes] = WeakKeyDictionary()

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings."""
        return [ConfigSection("gossipsub", GossipsubConfig, "Topics and their messages")]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Build the state of one life in one node."""
        wishes = self._wishes.setdefault(ctx.swarm, Wishes())  # one swarm for all lives in a node
        self._behaviours[ctx] = GossipsubBehaviour(ctx, wishes)

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """The protocols that it serves."""
        return [self._behaviours[ctx]]

    @hookimpl
    def peerloom_event_handlers(self, ctx: PluginContext) -> list[EventHandler]:
        """What it hears."""
        return self._behaviours[ctx].event_handlers()

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:
        """What it answers."""
        return self._behaviours[ctx].command_handlers()

    @hookimpl
    def peerloom_cli(self, app: Any) -> None:
        """Add `chat`, `pub` and `sub`."""
        from ._cli import add_to  # noqa: PLC0415 - nodes have no command line

        add_to(app)

    @hookimpl
    def peerloom_lifespan(self, ctx: PluginContext) -> AbstractAsyncContextManager[None]:
        """What is open while it runs."""
        return self._lifespan(ctx)

    @hookimpl
    def peerloom_status(self, ctx: PluginContext) -> Mapping[str, Any]:
        """Its counters."""
        return self._behaviours[ctx].status()

    @asynccontextmanager
    async def _lifespan(self, ctx: PluginContext) -> AsyncGenerator[None, None]:
        self._behaviours[ctx].start()
        try:
            yield
        finally:
            await self._behaviours.pop(ctx).finish()


plugin = GossipsubPlugin()
