"""Qh3Engine: `QuicEngine` on qh3."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from qh3.quic import events
from qh3.quic.configuration import QuicConfiguration
from qh3.quic.connection import QuicConnectionError

from ._quic_credentials import PeerCheck
from ._quic_engine import (
    ALPN,
    CONNECTION_ID_BYTES,
    MAX_DATAGRAM_BYTES,
    MOST_DATAGRAMS,
    QUIC_V1,
    ConnectionIdChanged,
    Ending,
    HandshakeDone,
    StreamData,
    StreamStopped,
    engine_call,
)
from ._quic_qh3 import Qh3Connection
from ._quic_qh3_outgoing import Outgoing

if TYPE_CHECKING:
    from peerloom._errors import HandshakeFailed
    from peerloom._libp2p import PublicKey
    from peerloom._peer_id import PeerId

    from ._quic_credentials import Credentials
    from ._quic_engine import EngineEvent, SocketAddress
    from ._quic_settings import QuicSettings

_NO_FRAME: Final = 0  # in a close of the transport's own
# A stream that has ended meanwhile: one half of it, or both and all of it acknowledged.
_STREAM_OVER: Final = (QuicConnectionError, ValueError)
_CERT_NONE: Final = 0  # ssl.CERT_NONE: no certificate authorities; our own check does the work


class Qh3Engine:
    """One connection on qh3; see `QuicEngine`."""

    holds_streams = False

    def __init__(
        self, settings: QuicSettings, credentials: Credentials, expected: PeerId | None, **more: Any
    ) -> None:
        self._check = PeerCheck(credentials, expected)
        self._settings = settings
        self._connection = Qh3Connection(settings, self._check, **more)
        self._outgoing = Outgoing(self._give, self._connection.unsent)
        self.connection_id: bytes = self._connection.host_cid

    @property
    def public_key(self) -> PublicKey | None:
        return self._check.public_key

    @property
    def failure(self) -> HandshakeFailed | None:
        return self._check.failure

    @engine_call
    def connect(self, remote: SocketAddress, now: float) -> None:
        self._connection.connect(remote, now)

    @engine_call
    def receive(self, data: bytes, segment: int, remote: SocketAddress, now: float) -> None:
        if segment < len(data):
            self._connection.receive_buffer(data, segment, remote, now)
        else:
            self._connection.receive_datagram(data, remote, now)

    @engine_call
    def datagrams_to_send(self, now: float) -> list[tuple[bytes, SocketAddress]]:
        connection, outgoing = self._connection, self._outgoing
        found = connection.transmits(now, MOST_DATAGRAMS)
        while len(found) < MOST_DATAGRAMS and outgoing.refill():
            more = connection.transmits(now, MOST_DATAGRAMS - len(found))
            if more:
                found += more
            elif connection.is_held():
                break
            else:
                outgoing.park()
        return found

    def timer(self) -> float | None:
        return self._connection.get_timer()

    @engine_call
    def handle_timer(self, now: float) -> None:
        self._connection.handle_timer(now)

    def next_event(self) -> EngineEvent | None:
        while (event := self._connection.next_event()) is not None:
            if isinstance(event, events.StreamDataReceived):
                return StreamData(event.stream_id, event.data, event.end_stream)
            if (translated := _translated(event)) is not None:
                return translated
        return None

    @engine_call
    def open_stream(self) -> int | None:
        connection = self._connection
        stream_id = connection.get_next_available_stream_id()
        if stream_id // 4 >= connection.max_concurrent_bidi_streams:
            return None
        connection.send_stream_data(stream_id, b"")
        return stream_id

    @engine_call
    def send(self, stream_id: int, data: bytes | memoryview, *, end: bool = False) -> bool:
        return self._outgoing.send(stream_id, data, end=end)

    def unsent(self, stream_id: int | None = None) -> int:
        outgoing = self._outgoing
        waiting = outgoing.bytes if stream_id is None else outgoing.waiting(stream_id)
        return waiting + self._connection.unsent(stream_id)

    @engine_call
    def reset(self, stream_id: int) -> None:
        self._outgoing.drop(stream_id)
        with suppress(*_STREAM_OVER):
            self._connection.reset_stream(stream_id, 0)

    @engine_call
    def stop(self, stream_id: int) -> None:
        with suppress(*_STREAM_OVER):
            self._connection.stop_stream(stream_id, 0)

    def consumed(self, stream_id: int, nbytes: int) -> None:
        """Nothing: taking data out of the queue is what qh3 counts."""

    def hold(self, *, on: bool) -> None:
        if self._connection.held and not on:
            self._connection.held = False
            self.let_pass()
        self._connection.held = on
        self._connection.held_back = 0

    @engine_call
    def let_pass(self) -> None:
        self._connection.empty_queue()
        self._connection.held_back = 0

    @property
    def held_back(self) -> int:
        return self._connection.held_back

    @engine_call
    def ping(self) -> None:
        self._connection.send_ping(0)

    @engine_call
    def close(self, code: int, reason: str, *, transport: bool = False) -> None:
        self._connection.close(code, _NO_FRAME if transport else None, reason)

    @property
    def flushed(self) -> bool:
        core = self._connection.core
        return core is None or not (self.unsent() or core.bytes_in_flight)

    @property
    def ending(self) -> Ending | None:
        connection = self._connection
        event = connection.close_event
        if event is None:
            return None
        return Ending(
            int(event.error_code), event.frame_type, event.reason_phrase, connection.closed_by_peer
        )

    @property
    def finished(self) -> bool:
        return self._connection.terminated

    def forget(self) -> None:
        self._connection.forget()

    @property
    def idle_timeout_seconds(self) -> float:
        own = self._settings.idle_timeout_seconds
        return min(own, self._connection.remote_idle_timeout_seconds or own)

    @property
    def round_trip_seconds(self) -> float | None:
        core = self._connection.core
        return None if core is None else core.latest_rtt

    def _give(self, stream_id: int, data: bytes | memoryview, end: bool) -> bool:  # noqa: FBT001
        try:
            self._connection.send_stream_data(stream_id, data, end)
        except _STREAM_OVER:
            return False
        return True


class Qh3Engines:
    """Makes them. See `QuicEngines`."""

    takes_buffers = True

    def __init__(self, credentials: Credentials, settings: QuicSettings) -> None:
        self.name = f"qh3 {version('qh3')}"
        self._credentials = credentials
        self._settings = settings
        self._dialing = self._configuration(is_client=True)
        self._accepting = self._configuration(is_client=False)

    def dial(self, remote: SocketAddress, expected: PeerId | None, now: float) -> Qh3Engine:
        """A connection to somebody."""
        engine = Qh3Engine(self._settings, self._credentials, expected, configuration=self._dialing)
        engine.connect(remote, now)
        return engine

    def dial_anonymously(self, remote: SocketAddress, now: float) -> Qh3Engine:
        """A dialler that shows no certificate, for the self-test."""
        configuration = self._configuration(is_client=True)
        configuration.certificate = configuration.private_key = None
        engine = Qh3Engine(self._settings, self._credentials, None, configuration=configuration)
        engine.connect(remote, now)
        return engine

    def accept(self, original_id: bytes, retry_id: bytes | None) -> Qh3Engine:
        """A connection that another began."""
        return Qh3Engine(
            self._settings,
            self._credentials,
            None,
            configuration=self._accepting,
            original_destination_connection_id=original_id,
            retry_source_connection_id=retry_id,
        )

    def _configuration(self, *, is_client: bool) -> QuicConfiguration:
        settings = self._settings
        configuration = QuicConfiguration(
            is_client=is_client,
            alpn_protocols=[ALPN],
            verify_mode=_CERT_NONE,
            connection_id_length=CONNECTION_ID_BYTES,
            supported_versions=[QUIC_V1],
            idle_timeout=settings.idle_timeout_seconds,
            max_data=settings.connection_window_bytes,
            max_stream_data=settings.stream_window_bytes,
            max_datagram_size=MAX_DATAGRAM_BYTES,
            probe_datagram_size=False,
        )
        configuration.load_cert_chain(
            self._credentials.certificate_pem(), self._credentials.key_pem()
        )
        return configuration


def _translated(event: events.QuicEvent) -> EngineEvent | None:
    match event:
        case events.HandshakeCompleted():
            return HandshakeDone()
        case events.StreamReset():
            return StreamStopped(event.stream_id, ours=False)
        case events.StopSendingReceived():
            return StreamStopped(event.stream_id, ours=True)
        case events.ConnectionIdIssued():
            return ConnectionIdChanged(event.connection_id, valid=True)
        case events.ConnectionIdRetired():
            return ConnectionIdChanged(event.connection_id, valid=False)
        case _:
            return None
