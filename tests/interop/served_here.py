"""The plugin by which our own node serves the test protocols, and its streams as pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from .pipe import Pipe, StreamBroken
from .served import MAX_STREAMS, SERVED, STALL
from .served import echo as serve_echo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom import Stream
    from peerloom.plugin import PluginContext

    ServedScript = Callable[[Pipe, anyio.Event], Awaitable[None]]
    Serve = Callable[[Stream, ServedScript, bool], Awaitable[None]]

_READ_BYTES: Final = 256 * 1024


class NodePipe(Pipe):
    """A stream of ours as a pipe."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive(_READ_BYTES)
        except anyio.EndOfStream:
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise StreamBroken(str(error)) from error

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise StreamBroken(str(error)) from error

    async def _send_end(self) -> None:
        try:
            await self._stream.send_eof()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise StreamBroken(str(error)) from error

    async def _send_reset(self) -> None:
        self._stream.reset()


class ServedProtocols:
    """The plugin that serves the test protocols on our side."""

    info = PluginInfo(name="interop")

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.ctx: PluginContext | None = None

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Keep the context: `handle` adds protocols at run time."""
        self.ctx = ctx

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """The test protocols."""
        return [self.serving()]

    def serving(self, *later: str) -> Behaviour:
        """The test protocols, and some more that echo."""
        behaviour = Behaviour()
        behaviour.protocols = {
            **{name: self._served(each, held=name == STALL) for name, each in SERVED.items()},
            **{name: self._served(serve_echo) for name in later},
        }
        return behaviour

    def _served(self, script: ServedScript, *, held: bool = False) -> InboundProtocol:
        async def handler(stream: Stream) -> None:
            try:
                await self._serve(stream, script, held)
            except StreamBroken:
                stream.reset()

        return InboundProtocol(handler, max_streams_per_peer=MAX_STREAMS, max_streams=MAX_STREAMS)
