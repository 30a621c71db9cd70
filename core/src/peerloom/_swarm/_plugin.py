"""The plugin ``swarm``: TCP and QUIC, the commands on addresses and connections, and keep-alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from peerloom._commands import (
    AddExternalAddress,
    Connections,
    Dial,
    Disconnect,
    ListenOn,
    OpenStream,
    RemoveExternalAddress,
    Status,
    StopListening,
)
from peerloom._shared_events import IdentifyReceived
from peerloom._transports import QuicSettings, QuicTransport
from peerloom.plugin import PluginInfo, hookimpl

from ._meters import Meters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from socket import AddressFamily

    from peerloom._endpoint import ConnectionInfo
    from peerloom._links import Transport
    from peerloom._stream import Stream
    from peerloom._transports import UdpSocket
    from peerloom.plugin import CommandHandler, EventHandler, PluginContext

    from ._swarm import Swarm

SWEEP_SECONDS: Final = 5.0  # an idle connection lives that much longer at most


class SwarmPlugin:
    """Registers what the swarm itself offers through the hooks that every plugin uses."""

    info = PluginInfo("swarm")

    def __init__(
        self,
        swarm: Swarm,
        status: Callable[[], Mapping[str, Any]],
        tcp: Callable[[], Transport],
        bind_udp: Callable[[AddressFamily, str, int], UdpSocket],
    ) -> None:
        """Serve this swarm; `status` is the node's answer to `Status`."""
        self._swarm = swarm
        self._status_of_node = status
        self._tcp = tcp
        self._bind_udp = bind_udp

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Start to sweep idle connections."""
        self._ctx = ctx
        self._meters = Meters(ctx)
        self._sweep()

    @hookimpl
    def peerloom_transports(self, ctx: PluginContext) -> list[Transport]:
        """TCP and QUIC, whose sockets outlive the plugin while they carry connections."""
        settings = QuicSettings(max_inbound_streams=self._swarm.max_streams_per_connection)
        self._quic = QuicTransport(
            *(ctx.identity, ctx.runtime, self._swarm.start_soon, settings),
            bind=self._bind_udp,
            ledger=self._swarm.unread,
        )
        return [self._tcp(), self._quic]

    @hookimpl
    def peerloom_event_handlers(self, ctx: PluginContext) -> list[EventHandler]:  # noqa: ARG002
        """Those that count, and one that learns what peers speak."""
        return [*self._meters.handlers(), IdentifyReceived.heard_by(self._on_identified)]

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:  # noqa: ARG002
        """The commands on addresses, connections and streams."""
        return [
            ListenOn.handled_by(self._listen_on),
            StopListening.handled_by(self._stop_listening),
            Dial.handled_by(self._dial),
            Disconnect.handled_by(self._disconnect),
            OpenStream.handled_by(self._open_stream),
            Connections.handled_by(self._connections),
            AddExternalAddress.handled_by(self._add_external_address),
            RemoveExternalAddress.handled_by(self._remove_external_address),
            Status.handled_by(self._status),
        ]

    @hookimpl
    def peerloom_status(self, ctx: PluginContext) -> Mapping[str, Any]:  # noqa: ARG002
        """Counters and bounds of the swarm."""
        return {**self._swarm.status(), "quic": self._quic.status()}

    def _on_identified(self, event: IdentifyReceived) -> None:
        self._swarm.peer_speaks(event.peer, event.protocols, event.agent)

    def _sweep(self) -> None:
        self._swarm.close_idle()
        self._meters.count_unread(self._swarm.unread)
        self._ctx.wake_at(self._ctx.runtime.now() + SWEEP_SECONDS, self._sweep)

    async def _listen_on(self, command: ListenOn) -> int:
        return await self._swarm.listen_on(command.address)

    async def _stop_listening(self, command: StopListening) -> bool:
        return await self._swarm.stop_listening(command.listener_id)

    async def _dial(self, command: Dial) -> ConnectionInfo:
        return await self._swarm.dial(command.peer, command.addresses, command.condition)

    async def _disconnect(self, command: Disconnect) -> int:
        return await self._swarm.disconnect(command.peer, "closed by the application")

    def _open_stream(self, command: OpenStream) -> Stream | Awaitable[Stream]:
        how = {"allow_limited": command.allow_limited, "optimistic": command.optimistic}
        opened = self._swarm.open_stream_now(command.peer, command.protocols, **how)
        return opened or self._swarm.open_stream(command.peer, command.protocols, **how)

    def _connections(self, command: Connections) -> tuple[ConnectionInfo, ...]:
        return self._swarm.connections(command.peer)

    def _add_external_address(self, command: AddExternalAddress) -> None:
        self._swarm.add_external_address(command.address)

    def _remove_external_address(self, command: RemoveExternalAddress) -> bool:
        return self._swarm.remove_external_address(command.address)

    def _status(self, command: Status) -> Mapping[str, Any]:  # noqa: ARG002
        return self._status_of_node()
