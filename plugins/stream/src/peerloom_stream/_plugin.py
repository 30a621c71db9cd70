"""The entry point: `plugin`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from peerloom.plugin import ConfigSection, PluginInfo, hookimpl

from ._behaviour import StreamBehaviour
from ._commands import AcceptBytes, AcceptStreams, OpenFramedStream
from ._config import StreamConfig

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractAsyncContextManager

    from peerloom.plugin import Behaviour, CommandHandler, PluginContext


class StreamPlugin:
    """Streams between two peers: framed messages, or plain bytes."""

    info = PluginInfo("stream", provides=frozenset({"streams"}))

    def __init__(self) -> None:
        self._behaviours: dict[PluginContext, StreamBehaviour] = {}

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings."""
        return [ConfigSection("stream", StreamConfig, "Streams that others open")]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Build the state of one life in one node."""
        self._behaviours[ctx] = StreamBehaviour(ctx)

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """The protocols that it serves."""
        return [self._behaviours[ctx]]

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:
        """What it answers."""
        behaviour = self._behaviours[ctx]
        return [
            OpenFramedStream.handled_by(behaviour.open),
            AcceptStreams.handled_by(behaviour.accept),
            AcceptBytes.handled_by(behaviour.accept_bytes),
        ]

    @hookimpl
    def peerloom_lifespan(self, ctx: PluginContext) -> AbstractAsyncContextManager[None]:
        """At the end, end every acceptor."""
        return self._lifespan(ctx)

    @hookimpl
    def peerloom_status(self, ctx: PluginContext) -> Mapping[str, Any]:
        """Its counters."""
        return self._behaviours[ctx].status()

    @asynccontextmanager
    async def _lifespan(self, ctx: PluginContext) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._behaviours.pop(ctx).stop()


plugin = StreamPlugin()
