"""What a plugin of somebody else's uses, and which types it sees: checked, not run."""

from collections.abc import Sequence
from typing import assert_type

from attrs import frozen

from peerloom import ConfigSection, ConnectionInfo, PeerConnected, PeerId, Stream
from peerloom.plugin import (
    Command,
    CommandHandler,
    Event,
    EventHandler,
    IncomingStream,
    PluginContext,
    PluginInfo,
    Reply,
    Runtime,
    Timer,
    hookimpl,
)
from peerloom_stream import FramedStream, StreamOpened


@frozen
class CounterConfig:
    step: int = 1


@frozen
class Count(Command[int]):
    peer: PeerId


@frozen
class Counted(Event):
    total: int


class CounterPlugin:
    info = PluginInfo("counter")

    @hookimpl
    def peerloom_config_sections(self) -> Sequence[ConfigSection]:
        return [ConfigSection("counter", CounterConfig)]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._reply: Reply[int] = ctx.reply()
        self._timer = ctx.wake_at(ctx.runtime.now() + 1, self._tick)
        assert_type(ctx.runtime, Runtime)
        assert_type(self._timer, Timer)
        assert_type(ctx.local_peer, PeerId)
        assert_type(ctx.connections(), tuple[ConnectionInfo, ...])

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> Sequence[CommandHandler]:
        return [Count.handled_by(self._count)]

    @hookimpl
    def peerloom_event_handlers(self, ctx: PluginContext) -> Sequence[EventHandler]:
        return [PeerConnected.heard_by(self._connected), StreamOpened.heard_by(self._opened)]

    def _tick(self) -> None:
        self._reply.set(1)

    async def _count(self, command: Count) -> int:
        assert_type(command.peer, PeerId)
        return await self._reply.wait()

    def _connected(self, event: PeerConnected) -> None:
        self._ctx.emit(Counted(1))

    def _opened(self, event: StreamOpened) -> None:
        assert_type(event.stream, FramedStream | Stream)

    async def serve(self, incoming: IncomingStream) -> None:
        assert_type(incoming.stream, Stream)
