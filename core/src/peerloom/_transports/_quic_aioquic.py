"""The QUIC engine aioquic, for where qh3 cannot be used; it is some ten times slower.

It has a switch for asking a client for its certificate, meant for its own tests, and grants senders
ever more credit, whether what came is read or not; both are put right here by private names.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from aioquic import tls
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionError, QuicConnectionState
from aioquic.quic.packet import QuicErrorCode
from cryptography.hazmat.primitives.serialization import Encoding

from peerloom._errors import HandshakeFailed

from ._quic_credentials import PeerCheck
from ._quic_engine import (
    ALPN,
    CONNECTION_ID_BYTES,
    INITIAL_RTT_SECONDS,
    MAX_DATAGRAM_BYTES,
    QUIC_V1,
    ConnectionIdChanged,
    Ending,
    HandshakeDone,
    StreamData,
    StreamStopped,
    engine_call,
)

if TYPE_CHECKING:
    from peerloom._libp2p import PublicKey
    from peerloom._peer_id import PeerId

    from ._quic_credentials import Credentials
    from ._quic_engine import EngineEvent, SocketAddress
    from ._quic_settings import QuicSettings

# Pieces of a handshake that wait for one before them. An honest one has a dozen in all; aioquic
# looks through all that wait for each that comes.
MAX_HANDSHAKE_PIECES: Final = 64
# The same of a stream: a window of 2 MiB comes in 1,700 datagrams, and gaps lie between two.
MAX_STREAM_PIECES: Final = 1024

_NO_FRAME: Final = 0
_CERT_NONE: Final = 0


class _CertificateRequired(tls.Alert):
    description = tls.AlertDescription.certificate_required


class _MutualContext(tls.Context):
    """aioquic's TLS, which checks the other side's certificate by libp2p's rules."""

    _peerloom_check: PeerCheck

    def _check_certificate_verify_signature(self, verify: Any) -> None:
        super()._check_certificate_verify_signature(verify)
        assert self._peer_certificate is not None
        try:
            if self._peer_certificate_chain:
                raise HandshakeFailed("more than one certificate was shown")
            self._peerloom_check(self._peer_certificate.public_bytes(Encoding.DER))
        except HandshakeFailed as error:
            raise tls.AlertBadCertificate(str(error)) from error

    def _server_expect_finished(self) -> None:
        if self._peer_certificate is None:
            raise _CertificateRequired("no certificate was shown")
        super()._server_expect_finished()


class _Connection(QuicConnection):
    """aioquic's connection with that TLS, and credit only for what has been read."""

    def __init__(self, settings: QuicSettings, check: PeerCheck, **more: Any) -> None:
        super().__init__(**more)
        self._settings = settings
        self._check = check
        self._consumed = 0
        self._consumed_of: dict[int, int] = {}
        self.closed_by_peer = False
        self._local_max_streams_bidi.value = settings.max_inbound_streams
        self._local_max_streams_bidi.sent = settings.max_inbound_streams
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = 0

    def consumed(self, stream_id: int, nbytes: int) -> None:
        self._consumed += nbytes
        if stream_id in self._streams:
            self._consumed_of[stream_id] = self._consumed_of.get(stream_id, 0) + nbytes
        else:
            self._consumed_of.pop(stream_id, None)

    @property
    def streams(self) -> dict[int, Any]:
        return self._streams

    @property
    def close_event(self) -> events.ConnectionTerminated | None:
        return self._close_event

    @property
    def terminated(self) -> bool:
        return self._state is QuicConnectionState.TERMINATED

    @property
    def max_outbound_streams(self) -> int:
        return self._remote_max_streams_bidi

    @property
    def bytes_in_flight(self) -> int:
        return self._loss.bytes_in_flight

    @property
    def remote_idle_timeout_seconds(self) -> float | None:
        return self._remote_max_idle_timeout

    @property
    def latest_rtt(self) -> float | None:
        return self._loss._rtt_latest or None  # noqa: SLF001 - the engine's own recovery

    def _handle_crypto_frame(self, context: Any, frame_type: int, buf: Any) -> None:
        super()._handle_crypto_frame(context, frame_type, buf)
        waiting = self._crypto_streams[context.epoch].receiver._ranges  # noqa: SLF001
        if len(waiting) > MAX_HANDSHAKE_PIECES:
            raise QuicConnectionError(
                QuicErrorCode.CRYPTO_BUFFER_EXCEEDED, frame_type, "a handshake in too many pieces"
            )

    def _handle_stream_frame(self, context: Any, frame_type: int, buf: Any) -> None:
        at = buf.tell()
        stream = self._streams.get(buf.pull_uint_var())
        buf.seek(at)
        super()._handle_stream_frame(context, frame_type, buf)
        if stream and len(stream.receiver._ranges) > MAX_STREAM_PIECES:  # noqa: SLF001
            raise QuicConnectionError(
                QuicErrorCode.INTERNAL_ERROR, frame_type, "a stream in too many pieces"
            )

    def _handle_connection_close_frame(self, *args: Any) -> None:
        self.closed_by_peer = self._close_event is None
        super()._handle_connection_close_frame(*args)

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        self.tls.__class__ = _MutualContext
        self.tls._peerloom_check = self._check  # type: ignore[attr-defined]  # noqa: SLF001
        if not self._is_client:
            self.tls._request_client_certificate = True  # noqa: SLF001

    def _write_connection_limits(self, builder: Any, space: Any) -> None:
        limit, window = self._local_max_data, self._settings.connection_window_bytes
        if self._consumed + window - limit.value >= window // 2:
            limit.value = self._consumed + window
        used, limit.used = limit.used, 0  # else aioquic doubles the limit by what has come
        try:
            super()._write_connection_limits(builder, space)
        finally:
            limit.used = used

    def _write_stream_limits(self, builder: Any, space: Any, stream: Any) -> None:
        window = self._settings.stream_window_bytes
        grant = self._consumed_of.get(stream.stream_id, 0) + window
        if grant - stream.max_stream_data_local >= window // 2:
            stream.max_stream_data_local = grant
        receiver = stream.receiver
        highest, receiver.highest_offset = receiver.highest_offset, 0  # likewise
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:
            receiver.highest_offset = highest


class AioquicEngine:
    """One connection on aioquic; see `QuicEngine`."""

    holds_streams = True
    held_back = 0

    def __init__(
        self, settings: QuicSettings, credentials: Credentials, expected: PeerId | None, **more: Any
    ) -> None:
        self._check = PeerCheck(credentials, expected)
        self._settings = settings
        self._connection = _Connection(settings, self._check, **more)
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
        for at in range(0, len(data), segment):
            self._connection.receive_datagram(data[at : at + segment], remote, now)

    @engine_call
    def datagrams_to_send(self, now: float) -> list[tuple[bytes, SocketAddress]]:
        return self._connection.datagrams_to_send(now)

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
        if stream_id // 4 >= connection.max_outbound_streams:
            return None
        connection.send_stream_data(stream_id, b"")
        return stream_id

    @engine_call
    def send(self, stream_id: int, data: bytes | memoryview, *, end: bool = False) -> bool:
        stream = self._connection.streams.get(stream_id)
        if stream is None:
            return False
        try:
            self._connection.send_stream_data(stream_id, bytes(data), end)
        except RuntimeError:  # the other side has stopped it
            return False
        return True

    def unsent(self, stream_id: int | None = None) -> int:
        streams = self._connection.streams
        if stream_id is None:
            return sum(_unsent(stream) for stream in streams.values())
        return _unsent(streams[stream_id]) if stream_id in streams else 0

    @engine_call
    def reset(self, stream_id: int) -> None:
        if stream_id in self._connection.streams:
            self._connection.reset_stream(stream_id, 0)

    @engine_call
    def stop(self, stream_id: int) -> None:
        if stream_id in self._connection.streams:
            with suppress(ValueError):  # it has ended meanwhile
                self._connection.stop_stream(stream_id, 0)

    def consumed(self, stream_id: int, nbytes: int) -> None:
        self._connection.consumed(stream_id, nbytes)

    def hold(self, *, on: bool) -> None:
        """Nothing: each stream is held by itself."""

    def let_pass(self) -> None:
        """Nothing, likewise."""

    @engine_call
    def ping(self) -> None:
        self._connection.send_ping(0)

    @engine_call
    def close(self, code: int, reason: str, *, transport: bool = False) -> None:
        self._connection.close(code, _NO_FRAME if transport else None, reason)

    @property
    def flushed(self) -> bool:
        return not (self.unsent() or self._connection.bytes_in_flight)

    @property
    def ending(self) -> Ending | None:
        event = self._connection.close_event
        if event is None:
            return None
        by_peer = self._connection.closed_by_peer
        return Ending(event.error_code, event.frame_type, event.reason_phrase, by_peer)

    @property
    def finished(self) -> bool:
        return self._connection.terminated

    def forget(self) -> None:
        """Nothing: no more is freed before Python's collector comes."""

    @property
    def idle_timeout_seconds(self) -> float:
        own = self._settings.idle_timeout_seconds
        return min(own, self._connection.remote_idle_timeout_seconds or own)

    @property
    def round_trip_seconds(self) -> float | None:
        return self._connection.latest_rtt


class AioquicEngines:
    """Makes them. See `QuicEngines`."""

    takes_buffers = False

    def __init__(self, credentials: Credentials, settings: QuicSettings) -> None:
        self.name = f"aioquic {version('aioquic')}"
        self._credentials = credentials
        self._settings = settings
        self._dialing = self._configuration(is_client=True)
        self._accepting = self._configuration(is_client=False)

    def dial(self, remote: SocketAddress, expected: PeerId | None, now: float) -> AioquicEngine:
        """A connection to somebody."""
        engine = AioquicEngine(
            self._settings, self._credentials, expected, configuration=self._dialing
        )
        engine.connect(remote, now)
        return engine

    def dial_anonymously(self, remote: SocketAddress, now: float) -> AioquicEngine:
        """A dialler that shows no certificate, for the self-test."""
        configuration = self._configuration(is_client=True)
        configuration.certificate = configuration.private_key = None
        engine = AioquicEngine(self._settings, self._credentials, None, configuration=configuration)
        engine.connect(remote, now)
        return engine

    def accept(self, original_id: bytes, retry_id: bytes | None) -> AioquicEngine:
        """A connection that another began."""
        return AioquicEngine(
            self._settings,
            self._credentials,
            None,
            configuration=self._accepting,
            original_destination_connection_id=original_id,
            retry_source_connection_id=retry_id,
        )

    def _configuration(self, *, is_client: bool) -> QuicConfiguration:
        settings = self._settings
        return QuicConfiguration(
            is_client=is_client,
            alpn_protocols=[ALPN],
            verify_mode=_CERT_NONE,
            connection_id_length=CONNECTION_ID_BYTES,
            supported_versions=[QUIC_V1],
            idle_timeout=settings.idle_timeout_seconds,
            initial_rtt=INITIAL_RTT_SECONDS,
            max_data=settings.connection_window_bytes,
            max_stream_data=settings.stream_window_bytes,
            max_datagram_size=MAX_DATAGRAM_BYTES,
            certificate=self._credentials.certificate,
            private_key=self._credentials.key,
        )


def _unsent(stream: Any) -> int:
    sender = stream.sender
    return 0 if sender.buffer_is_empty else sum(each.stop - each.start for each in sender._pending)  # noqa: SLF001


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
