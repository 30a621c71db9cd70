"""Identify and identify push (libp2p/specs, identify): who is there, and what it speaks."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import field, frozen

from peerloom._addresses import is_loopback, is_relayed, is_unspecified
from peerloom._alarm import Alarm
from peerloom._config import ConfigSection, at_least
from peerloom._errors import MalformedMessage, ProtocolNotSupported
from peerloom._events import (
    ExternalAddressCandidate,
    ExternalAddressConfirmed,
    ExternalAddressExpired,
    ListenAddressExpired,
    ListeningOn,
    PeerConnected,
    PeerDisconnected,
    ProtocolsChanged,
)
from peerloom._framing import MessageReader, encode_message
from peerloom._libp2p import open_peer_record
from peerloom._shared_events import IdentifyFailed, IdentifyReceived
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from ._exchange import STREAM_FAILURES
from ._identify_codec import (
    MAX_PARTS,
    MAX_RECEIVED_BYTES,
    decode_identify,
    encode_identify,
    without_peer,
)
from ._identify_state import PUSH_PROTOCOL, IdentifyState
from ._own_identity import OwnIdentity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractAsyncContextManager

    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId
    from peerloom._stream import Stream
    from peerloom.plugin import EventHandler, PluginContext

    from ._identify_codec import IdentifyMessage

IDENTIFY_PROTOCOL: Final = "/ipfs/id/1.0.0"
MAX_STREAMS_PER_PEER: Final = 8  # as many as connections, each asking once at a time
MAX_PUSHES_AT_ONCE: Final = 32  # as go-libp2p and js-libp2p


@frozen
class IdentifyConfig:
    """Settings of the section ``identify``.

    Attributes:
        interval_seconds: how often each connection is identified again.
        timeout_seconds: how long one exchange may take.
    """

    interval_seconds: float = field(default=300.0, validator=at_least(1))
    timeout_seconds: float = field(default=10.0, validator=at_least(0.1))


class IdentifyBehaviour(Behaviour):
    """Asks and answers; what it knows is in `IdentifyState`."""

    def __init__(self, ctx: PluginContext, *, agent: str, protocol_version: str) -> None:
        self._ctx = ctx
        self._config: IdentifyConfig = ctx.config
        self._state = IdentifyState(interval_seconds=self._config.interval_seconds)
        self._own = OwnIdentity(ctx, agent=agent, protocol_version=protocol_version)
        self._pushes = anyio.Semaphore(MAX_PUSHES_AT_ONCE)
        self._alarm = Alarm(ctx, self._advance)
        self._skipped = 0
        self.protocols = {
            IDENTIFY_PROTOCOL: self._inbound(self._answer),
            PUSH_PROTOCOL: self._inbound(self._take_push),
        }

    def event_handlers(self) -> list[EventHandler]:
        """What it listens to."""
        changes = (
            ListeningOn,
            ListenAddressExpired,
            ExternalAddressConfirmed,
            ExternalAddressExpired,
            ProtocolsChanged,
        )
        return [
            PeerConnected.heard_by(self._on_connected),
            PeerDisconnected.heard_by(self._on_disconnected),
            *(change.heard_by(self._on_change) for change in changes),
        ]

    def start(self) -> None:
        """Identify the connections that were there before this plugin."""
        for connection in self._ctx.connections():
            self._state.connected(connection.id, connection.peer, self._now())
        self._advance()

    def status(self) -> Mapping[str, Any]:
        """Counters for the node's status."""
        return {
            "identified_connections": self._state.identified_count(),
            "skipped_entries": self._skipped,
        }

    def _on_connected(self, event: PeerConnected) -> None:
        self._state.connected(event.connection.id, event.peer, self._now())
        self._advance()

    def _on_disconnected(self, event: PeerDisconnected) -> None:
        self._state.disconnected(event.connection.id)
        self._arm()

    def _on_change(self, _: object) -> None:
        self._state.changed(self._now())
        self._arm()

    def _advance(self) -> None:
        now = self._now()
        for connection_id, peer in self._state.take_due(now):
            self._ctx.spawn(self._identify, connection_id, peer)
        targets = set(self._state.take_push(now))
        for connection in self._ctx.connections() if targets else ():
            if connection.id in targets:
                self._ctx.spawn(self._push, connection)
        self._arm()

    def _arm(self) -> None:
        self._alarm.set(self._state.next_deadline())

    async def _identify(self, connection_id: int, peer: PeerId) -> None:
        try:
            with anyio.fail_after(self._config.timeout_seconds):
                stream = await self._open(connection_id, peer, IDENTIFY_PROTOCOL)
                async with stream:
                    message = await _read_message(stream)
        except STREAM_FAILURES as error:
            final = isinstance(error, ProtocolNotSupported)
            self._state.failed(connection_id, self._now(), final=final)
            self._ctx.emit(IdentifyFailed(peer, connection_id, error))
        else:
            known = self._state.identified(connection_id, message, self._now())
            self._report(stream.connection, known, pushed=False)
        self._arm()

    async def _take_push(self, stream: Stream) -> None:
        if not self._state.admit_push(stream.connection.id, self._now()):
            stream.reset()
            return
        with anyio.fail_after(self._config.timeout_seconds):
            async with stream:
                message = await _read_message(stream)
        known = self._state.pushed(stream.connection.id, message)
        self._report(stream.connection, known, pushed=True)

    async def _answer(self, stream: Stream) -> None:
        message = self._own.message_for(stream.connection)
        self._state.tell(stream.connection.id, message)
        with anyio.fail_after(self._config.timeout_seconds):
            await _send_message(stream, message)

    async def _push(self, connection: ConnectionInfo) -> None:
        message = self._own.message_for(connection)
        if not self._state.tell(connection.id, message):
            return
        # A push is a courtesy: the peer identifies this node again by itself.
        with suppress(*STREAM_FAILURES):
            async with self._pushes:
                with anyio.fail_after(self._config.timeout_seconds):
                    stream = await self._open(connection.id, connection.peer, PUSH_PROTOCOL)
                    await _send_message(stream, message)

    async def _open(self, connection_id: int, peer: PeerId, protocol: str) -> Stream:
        return await self._ctx.open_stream(
            peer, (protocol,), allow_limited=True, connection_id=connection_id
        )

    def _report(
        self, connection: ConnectionInfo, message: IdentifyMessage | None, *, pushed: bool
    ) -> None:
        if message is None:
            return  # the connection ended meanwhile
        self._skipped += message.skipped
        certified = self._certified(connection, message)
        self._ctx.emit(
            IdentifyReceived(
                peer=connection.peer,
                connection_id=connection.id,
                agent=message.agent or "",
                protocol_version=message.protocol_version or "",
                listen_addresses=message.listen_addresses if certified is None else certified,
                protocols=message.protocols,
                observed_address=message.observed_address,
                signed_record=None if certified is None else message.signed_record,
                pushed=pushed,
            )
        )
        if message.observed_address is not None:
            self._report_observed(connection, message.observed_address)

    def _certified(
        self, connection: ConnectionInfo, message: IdentifyMessage
    ) -> tuple[Multiaddr, ...] | None:
        if message.signed_record is None:
            return None
        try:
            record = open_peer_record(message.signed_record)
        except MalformedMessage:
            self._skipped += 1
            return None
        if record.peer != connection.peer:
            self._skipped += 1
            return None
        addresses = tuple(without_peer(record.addresses, record.peer))
        return self._state.certify(connection.id, record.sequence, addresses)

    def _report_observed(self, connection: ConnectionInfo, address: Multiaddr) -> None:
        if connection.relayed or not _may_be_external(address):
            return
        if self._state.observe(connection.id, address):
            self._ctx.emit(ExternalAddressCandidate(address, connection.peer))

    def _inbound(self, handler: Any) -> InboundProtocol:
        return InboundProtocol(
            handler,
            max_streams_per_peer=MAX_STREAMS_PER_PEER,
            runs_on_limited=True,
            holds_connection=False,
        )

    def _now(self) -> float:
        return self._ctx.runtime.now()


class IdentifyPlugin:
    """Identify as a plugin of core."""

    info = PluginInfo(name="identify")

    def __init__(self, *, agent: str, protocol_version: str) -> None:
        """Tell others this software and this protocol family."""
        self._agent = agent
        self._protocol_version = protocol_version

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings."""
        return [ConfigSection("identify", IdentifyConfig, "What this node tells others of itself")]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Build its state."""
        self._behaviour = IdentifyBehaviour(
            ctx, agent=self._agent, protocol_version=self._protocol_version
        )

    @hookimpl
    def peerloom_behaviours(self) -> list[Behaviour]:
        """The protocols that it answers."""
        return [self._behaviour]

    @hookimpl
    def peerloom_event_handlers(self) -> list[EventHandler]:
        """What it hears."""
        return self._behaviour.event_handlers()

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
        yield


async def _read_message(stream: Stream) -> IdentifyMessage:
    reader = MessageReader(stream, MAX_RECEIVED_BYTES)
    parts: list[bytes] = []
    while True:
        try:
            parts.append(await reader.read())
        except anyio.EndOfStream:
            break
        if len(parts) > MAX_PARTS or sum(map(len, parts)) > MAX_RECEIVED_BYTES:
            raise MalformedMessage("identify is longer than anybody needs")
    if not parts:
        raise MalformedMessage("the stream ended before identify's message")
    return decode_identify(parts, stream.peer)


async def _send_message(stream: Stream, message: IdentifyMessage) -> None:
    async with stream:
        for part in encode_identify(message):
            await stream.send(encode_message(part))


def _may_be_external(address: Multiaddr) -> bool:
    return not (is_loopback(address) or is_unspecified(address) or is_relayed(address))
