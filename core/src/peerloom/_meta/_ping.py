"""Ping (libp2p/specs, ping), and the watchdog that closes connections which died in silence."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import field, frozen

from peerloom._alarm import Alarm
from peerloom._commands import Ping
from peerloom._config import ConfigSection, at_least, whole_at_least
from peerloom._errors import (
    LinkClosed,
    MalformedMessage,
    ProtocolNotSupported,
    StreamLimitReached,
)
from peerloom._events import PeerConnected, PeerDisconnected
from peerloom._shared_events import PingFailed, PingSucceeded
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from ._exchange import STREAM_FAILURES
from ._ping_state import PingState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractAsyncContextManager

    from peerloom._endpoint import ConnectionInfo
    from peerloom._stream import Stream
    from peerloom.plugin import CommandHandler, EventHandler, PluginContext

PING_PROTOCOL: Final = "/ipfs/ping/1.0.0"
PING_BYTES: Final = 32
IDLE_SECONDS: Final = 120.0  # an echo stream that is silent for longer is given up
MAX_STREAMS_PER_CONNECTION: Final = 2  # libp2p/specs, ping
MAX_STREAMS_PER_PEER: Final = 16  # two for each of eight connections: each is watched on its own


@frozen
class PingConfig:
    """Settings of the section ``ping``.

    Attributes:
        interval_seconds: how often each connection is pinged.
        timeout_seconds: how long an answer may take.
        max_failures: so many failures in a row close the connection.
    """

    interval_seconds: float = field(default=15.0, validator=at_least(0.01))
    timeout_seconds: float = field(default=20.0, validator=at_least(0.01))
    max_failures: int = field(default=3, validator=whole_at_least(1))


class _Pinger:
    """The one outbound ping stream of a connection, kept between pings."""

    def __init__(self, ctx: PluginContext, connection: ConnectionInfo) -> None:
        self.connection = connection
        self._ctx = ctx
        self._stream: Stream | None = None
        self._turn = anyio.Lock()

    async def ping(self, timeout_seconds: float) -> float:
        """Send one ping; gives the round trip in seconds. Raises one of STREAM_FAILURES."""
        async with self._turn:
            try:
                with anyio.fail_after(timeout_seconds):
                    return await self._ping()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Give the stream up."""
        if self._stream is not None:
            self._stream.reset()
            self._stream = None

    async def _ping(self) -> float:
        if self._stream is not None:
            try:
                return await self._exchange(self._stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.close()  # many implementations close a stream that was idle for 10 s
        self._stream = await self._ctx.open_stream(
            self.connection.peer,
            (PING_PROTOCOL,),
            allow_limited=True,
            connection_id=self.connection.id,
        )
        return await self._exchange(self._stream)

    async def _exchange(self, stream: Stream) -> float:
        payload = self._ctx.runtime.random.randbytes(PING_BYTES)
        began_at = self._ctx.runtime.now()
        await stream.send(payload)
        echo = await stream.receive_exactly(PING_BYTES)
        if echo != payload:
            raise MalformedMessage("a ping came back with other bytes")
        return self._ctx.runtime.now() - began_at


class PingBehaviour(Behaviour):
    """Pings every connection, answers pings, and closes what does not answer."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._config: PingConfig = ctx.config
        self._state = PingState(
            interval_seconds=self._config.interval_seconds, max_failures=self._config.max_failures
        )
        self._pingers: dict[int, _Pinger] = {}
        self._echoing: Counter[int] = Counter()
        self._closed_silent = 0
        self._alarm = Alarm(ctx, self._advance)
        self.protocols = {
            PING_PROTOCOL: InboundProtocol(
                self._echo,
                max_streams_per_peer=MAX_STREAMS_PER_PEER,
                runs_on_limited=True,
                holds_connection=False,
            )
        }

    def event_handlers(self) -> list[EventHandler]:
        """What it listens to."""
        return [
            PeerConnected.heard_by(lambda event: self._watch(event.connection)),
            PeerDisconnected.heard_by(self._on_disconnected),
        ]

    def start(self) -> None:
        """Watch the connections that were there before this plugin."""
        for connection in self._ctx.connections():
            self._watch(connection)

    def stop(self) -> None:
        """Give the ping streams up."""
        for pinger in self._pingers.values():
            pinger.close()

    def status(self) -> Mapping[str, Any]:
        """Counters for the node's status."""
        return {
            "watched_connections": len(self._pingers),
            "unanswered": self._state.unanswered(),
            "closed_silent": self._closed_silent,
        }

    async def handle(self, command: Ping) -> float:
        """Answer the command: ping the oldest connection to the peer."""
        for connection in self._ctx.connections(command.peer):
            if pinger := self._pingers.get(connection.id):
                return await self._ping(pinger)
        raise LinkClosed(f"not connected to {command.peer}: dial it first")

    def _watch(self, connection: ConnectionInfo) -> None:
        self._pingers.setdefault(connection.id, _Pinger(self._ctx, connection))
        self._state.connected(connection.id, self._now())
        self._arm()

    def _on_disconnected(self, event: PeerDisconnected) -> None:
        self._state.disconnected(event.connection.id)
        if pinger := self._pingers.pop(event.connection.id, None):
            pinger.close()
        self._arm()

    def _advance(self) -> None:
        for connection_id in self._state.take_due(self._now()):
            self._ctx.spawn(self._ping_unasked, self._pingers[connection_id])
        self._arm()

    def _arm(self) -> None:
        self._alarm.set(self._state.next_deadline())

    async def _ping_unasked(self, pinger: _Pinger) -> None:
        with suppress(*STREAM_FAILURES):  # told by PingFailed
            await self._ping(pinger)
        self._arm()

    async def _ping(self, pinger: _Pinger) -> float:
        connection, began_at = pinger.connection, self._now()
        try:
            seconds = await pinger.ping(self._config.timeout_seconds)
        except STREAM_FAILURES as error:
            await self._failed(connection, began_at, error)
            raise
        self._state.answered(connection.id, began_at)
        self._ctx.emit(PingSucceeded(connection.peer, connection.id, seconds))
        return seconds

    async def _failed(
        self, connection: ConnectionInfo, began_at: float, error: BaseException
    ) -> None:
        if connection.id not in self._pingers or isinstance(error, LinkClosed):
            return  # it has ended: nothing to report, nothing to close
        match error:
            case ProtocolNotSupported():
                self._state.unsupported(connection.id)
            case StreamLimitReached():
                self._state.not_sent(connection.id, began_at)
            case _:
                self._state.failed(connection.id, began_at)
        failures = self._state.failures(connection.id)
        self._ctx.emit(PingFailed(connection.peer, connection.id, failures, error))
        if self._state.is_dead(connection.id):
            self._closed_silent += 1
            cause = f"no answer to {failures} pings in a row"
            await self._ctx.swarm.close_connection(connection.id, cause)

    async def _echo(self, stream: Stream) -> None:
        connection_id = stream.connection.id
        if self._echoing[connection_id] >= MAX_STREAMS_PER_CONNECTION:
            stream.reset()
            return
        self._echoing[connection_id] += 1
        try:
            await _echo_until_end(stream)
        finally:
            self._echoing[connection_id] -= 1
            if not self._echoing[connection_id]:
                del self._echoing[connection_id]

    def _now(self) -> float:
        return self._ctx.runtime.now()


class PingPlugin:
    """Ping as a plugin of core."""

    info = PluginInfo(name="ping")

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings."""
        return [ConfigSection("ping", PingConfig, "The watchdog of connections")]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Build its state."""
        self._behaviour = PingBehaviour(ctx)

    @hookimpl
    def peerloom_behaviours(self) -> list[Behaviour]:
        """The protocols that it answers."""
        return [self._behaviour]

    @hookimpl
    def peerloom_event_handlers(self) -> list[EventHandler]:
        """What it hears."""
        return self._behaviour.event_handlers()

    @hookimpl
    def peerloom_command_handlers(self) -> list[CommandHandler]:
        """What it answers."""
        return [Ping.handled_by(self._behaviour.handle)]

    @hookimpl
    def peerloom_lifespan(self) -> AbstractAsyncContextManager[None]:
        """What is open while it runs."""
        return self._lifespan()

    @hookimpl
    def peerloom_status(self) -> Mapping[str, Any]:
        """Its counters."""
        return self._behaviour.status()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None, None]:
        self._behaviour.start()
        try:
            yield
        finally:
            self._behaviour.stop()


async def _echo_until_end(stream: Stream) -> None:
    with anyio.CancelScope() as idle, suppress(anyio.EndOfStream):
        while True:
            idle.deadline = anyio.current_time() + IDLE_SECONDS
            await stream.send(await stream.receive_exactly(PING_BYTES))
    if idle.cancelled_caught:
        stream.reset()
    else:
        await stream.aclose()
