"""The entry point: `plugin`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from peerloom.plugin import ConfigSection, PluginInfo, hookimpl

from ._behaviour import CounterBehaviour
from ._commands import Increment, Value
from ._config import CounterConfig

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom.plugin import Behaviour, CommandHandler, PluginContext


class CounterPlugin:
    """Nodes keep numbers for each other; one object for all nodes of a process."""

    info = PluginInfo("counter", api=1)

    def __init__(self) -> None:
        """Begin without any node."""
        self._behaviours: dict[PluginContext, CounterBehaviour] = {}

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings."""
        return [ConfigSection("counter", CounterConfig, "Counting for others")]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Build the state of one life in one node."""
        self._behaviours[ctx] = CounterBehaviour(ctx)

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """The protocol that it serves."""
        return [self._behaviours[ctx]]

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:
        """What it answers."""
        behaviour = self._behaviours[ctx]
        return [Increment.handled_by(behaviour.increment), Value.handled_by(behaviour.value)]

    @hookimpl
    @asynccontextmanager
    async def peerloom_lifespan(self, ctx: PluginContext) -> AsyncGenerator[None, None]:
        """At the end, forget the state."""
        try:
            yield
        finally:
            del self._behaviours[ctx]


plugin = CounterPlugin()
