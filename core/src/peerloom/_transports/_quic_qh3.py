"""The QUIC engine qh3: the only file that knows private names of it.

qh3 does not ask clients for certificates, which libp2p needs. `_MutualContext` adds that to its
TLS: a CertificateRequest in the server's flight, the client's Certificate and CertificateVerify
before its Finished, and libp2p's check of the certificate on both sides. Names without promise are
used for it, so `Qh3Engines` proves itself by handshakes in memory before a node relies on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qh3 import tls
from qh3._hazmat import (
    Buffer,
    Certificate,
    QuicConnectionCore,
    SignatureError,
    pull_quic_header,
    verify_with_public_key,
)
from qh3.quic.connection import QuicConnection, QuicConnectionError, QuicConnectionState
from qh3.quic.packet import pull_quic_transport_parameters, push_quic_transport_parameters
from qh3.quic.tls_bridge import QuicTlsBridgeError

from peerloom._errors import HandshakeFailed

from ._quic_engine import (
    CONNECTION_ID_BYTES,
    INITIAL_RTT_SECONDS,
    MAX_DATAGRAM_BYTES,
    QUIC_V1,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._quic_settings import QuicSettings

_MAX_MESSAGE_BYTES: Final = 16_384  # of a handshake; a certificate message takes about 500
_SIGNATURES: Final = [
    tls.SignatureAlgorithm.ECDSA_SECP256R1_SHA256,
    tls.SignatureAlgorithm.ED25519,
    tls.SignatureAlgorithm.ECDSA_SECP384R1_SHA384,
    tls.SignatureAlgorithm.RSA_PSS_RSAE_SHA256,
]
_SIGNATURE_ALGORITHMS: Final = 13  # RFC 8446 section 4.2
_CLIENT_VERIFY: Final = b"TLS 1.3, client CertificateVerify"  # RFC 8446 section 4.4.3
_ENDED: Final = {"closing", "draining", "terminated"}


class _CertificateRequired(tls.Alert):
    description = tls.AlertDescription.certificate_required


def _certificate_request() -> bytes:
    """RFC 8446 section 4.3.2, with no context and the one extension that it must have."""
    algorithms = b"".join(int(each).to_bytes(2, "big") for each in _SIGNATURES)
    content = len(algorithms).to_bytes(2, "big") + algorithms
    extension = _SIGNATURE_ALGORITHMS.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content
    body = b"\0" + len(extension).to_bytes(2, "big") + extension
    return bytes([tls.HandshakeType.CERTIFICATE_REQUEST]) + len(body).to_bytes(3, "big") + body


class _Schedule(tls.KeySchedule):
    """Puts a CertificateRequest behind EncryptedExtensions: into the flight and the transcript."""

    flight: Buffer | None

    def update_hash(self, data: bytes) -> None:
        super().update_hash(data)
        if self.flight is not None and data[0] == tls.HandshakeType.ENCRYPTED_EXTENSIONS:
            flight, self.flight = self.flight, None
            request = _certificate_request()
            flight.push_bytes(request)
            super().update_hash(request)


class _MutualContext(tls.Context):
    """qh3's TLS, but both sides show certificates, and both are checked by libp2p's rules."""

    _request_into: Buffer | None = None

    def bind(self, check: Callable[[bytes], None]) -> None:
        self._check_peer = check
        self._supported_groups = [tls.Group.X25519]  # a post-quantum share takes a second datagram
        self._signature_algorithms = list(_SIGNATURES)
        self._compress_certificate_algorithms = None
        self._client_flight = b""
        self._expected = [tls.HandshakeType.CERTIFICATE, tls.HandshakeType.CERTIFICATE_VERIFY]

    def handle_message(self, input_data: bytes, output_buf: Any, epoch: Any = -1) -> None:
        try:
            self._handle(input_data, output_buf, epoch)
        except (tls.Alert, QuicTlsBridgeError, QuicConnectionError):
            raise
        except Exception as error:  # parsers raise BufferReadError, TypeError, CryptoError and more
            raise tls.AlertDecodeError(f"malformed handshake message: {error!r}") from error

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "key_schedule" and self._request_into is not None:
            value.__class__ = _Schedule
            value.flight, self._request_into = self._request_into, None
        object.__setattr__(self, name, value)

    def _process_certificate(self, certificate: tls.Certificate) -> None:
        self._check([each[0] for each in certificate.certificates])
        super()._process_certificate(certificate)

    def _client_handle_compressed_certificate(self, input_buf: Buffer) -> None:  # noqa: ARG002
        raise tls.AlertUnexpectedMessage  # not offered, and it may unpack to anything

    def _server_handle_hello(self, *args: Any) -> None:
        self._request_into = args[2]  # the buffer of the handshake epoch
        self._alps_negotiated = True  # stands for "do not compute the client's Finished ahead"
        super()._server_handle_hello(*args)

    def _server_handle_client_encrypted_extensions(self, input_buf: Buffer) -> None:  # noqa: ARG002
        raise tls.AlertUnexpectedMessage  # is reachable only because of that switch

    def _handle(self, data: bytes, output: Any, epoch: Any) -> None:
        if self.state != tls.State.SERVER_EXPECT_FINISHED or not self._expected:
            super().handle_message(data, output, epoch)
            return
        if epoch != tls.Epoch.HANDSHAKE:
            raise tls.AlertUnexpectedMessage
        self._client_flight += data
        while self._expected and len(self._client_flight) >= 4:
            end = 4 + int.from_bytes(self._client_flight[1:4], "big")
            if end > _MAX_MESSAGE_BYTES:
                raise tls.AlertDecodeError("a handshake message over the bound")
            if len(self._client_flight) < end:
                return
            message, self._client_flight = self._client_flight[:end], self._client_flight[end:]
            self._handle_client_message(message)
        if not self._expected:
            rest, self._client_flight = self._client_flight, b""
            super().handle_message(rest, output, epoch)

    def _handle_client_message(self, message: bytes) -> None:
        assert self.key_schedule is not None
        kind = self._expected.pop(0)
        if message[0] != kind:
            raise tls.AlertUnexpectedMessage
        if kind == tls.HandshakeType.CERTIFICATE:
            self._take_certificate(Buffer(data=message))
        else:
            self._verify_ownership(Buffer(data=message))
        self.key_schedule.update_hash(message)

    def _take_certificate(self, message: Buffer) -> None:
        shown = [each[0] for each in tls.pull_certificate(message).certificates]
        self._check(shown)
        self._peer_certificate = Certificate(shown[0])

    def _verify_ownership(self, message: Buffer) -> None:
        assert self.key_schedule is not None
        assert self._peer_certificate is not None
        verify = tls.pull_certificate_verify(message)
        if verify.algorithm not in _SIGNATURES:
            raise tls.AlertIllegalParameter("a signature algorithm that was not offered")
        signed = self.key_schedule.certificate_verify_data(_CLIENT_VERIFY)
        key = self._peer_certificate.public_key()
        try:
            verify_with_public_key(key, verify.algorithm, signed, verify.signature)
        except SignatureError as error:
            raise tls.AlertDecryptError("it does not own its certificate's key") from error

    def _check(self, shown: list[bytes]) -> None:
        """Before qh3 reads it, whose parser panics at bytes behind a certificate."""
        if not shown:
            raise _CertificateRequired("no certificate was shown")
        try:
            if len(shown) > 1:
                raise HandshakeFailed("more than one certificate was shown")
            self._check_peer(shown[0])
        except HandshakeFailed as error:
            raise tls.AlertBadCertificate(str(error)) from error


class Qh3Connection(QuicConnection):
    """qh3's connection with that TLS, our limits, and a queue that can be held."""

    def __init__(self, settings: QuicSettings, check: Callable[[bytes], None], **more: Any) -> None:
        self._limits = settings
        self._check = check
        self.held = False
        self.held_back = 0
        self.closed_by_peer = False
        super().__init__(**more)

    @property
    def core(self) -> Any:
        return self._core

    @property
    def close_event(self) -> Any:
        return self._close_event

    @property
    def terminated(self) -> bool:
        return bool(self._state is QuicConnectionState.TERMINATED)

    @property
    def remote_idle_timeout_seconds(self) -> float | None:
        parameters = self._tls.remote_transport_parameters if self._tls is not None else None
        milliseconds = parameters.max_idle_timeout if parameters is not None else None
        return milliseconds / 1000 if milliseconds else None

    def unsent(self, stream_id: int | None) -> int:
        """As `get_send_buffer_size` once the handshake is done, without its detours."""
        if self._core is None or not self._handshake_complete or self._close_event is not None:
            return self.get_send_buffer_size(stream_id)
        return self._core.get_send_buffer_size(stream_id)

    def transmits(self, now: float, most: int) -> list[tuple[bytes, Any]]:
        """As `datagrams_to_send`, without taking every datagram apart for a log: half the time."""
        if self._core is None:
            return []
        poll = self._core.poll_transmit
        found: list[tuple[bytes, Any]] = []
        while len(found) < most and (transmit := poll(now)) is not None:
            found.append(transmit[:2])
        return found

    def is_held(self) -> bool:
        """Whether the path keeps it from sending now, and not the other side's windows."""
        core = self._core
        if core is None or core.congestion_window - core.bytes_in_flight < MAX_DATAGRAM_BYTES:
            return True
        timer = core.get_timer()
        return timer is not None and timer[0] == "pacing"

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """As qh3, but padding behind the last packet counts towards what may be answered.

        aioquic, hence py-libp2p, pads its first datagram so, and RFC 9000 section 8.1 counts whole
        datagrams; qh3 would then have too little credit for its flight and raise.
        """
        start, end = self._last_packet(data) if self._may_be_padded(data) else (0, len(data))
        if end >= len(data) or any(data[end:]):
            super().receive_datagram(data, addr, now)
            return
        if start:
            super().receive_datagram(data[:start], addr, now)
        if self._core is None and not self._start(data, addr, now):
            return
        self._call_core(self.core.receive_datagram, data[start:], addr, now, len(data) - start)
        self._learn_remote_source_cid(data[start:end])
        self._drain_core()

    def receive_buffer(self, data: bytes, segment: int, addr: Any, now: float) -> None:
        """As `receive_gro_buffer`, likewise."""
        if self._handshake_complete:
            self._call_core(self.core.receive_gro_buffer, data, segment, addr, now)
            self._drain_core()
        else:
            for at in range(0, len(data), segment):
                self.receive_datagram(data[at : at + segment], addr, now)

    def forget(self) -> None:
        """Let go of what refers to itself in circles, and so would wait for the collector."""
        if self._tls is not None:
            del self._tls.tls
        self._core = self._tls = None

    def empty_queue(self) -> None:
        """Take out what has been held back, which grants the senders new credit."""
        super()._drain_core()

    def _may_be_padded(self, data: bytes) -> bool:
        return not (self._is_client or self._handshake_complete or len(data) < 1200)

    def _last_packet(self, data: bytes) -> tuple[int, int]:
        start = end = 0
        while end < len(data):
            try:
                following = pull_quic_header(data, end, CONNECTION_ID_BYTES)[9]
            except ValueError:
                break
            start, end = end, following
        return (start, end) if end else (0, len(data))

    def _start(self, data: bytes, addr: Any, now: float) -> bool:
        header = pull_quic_header(data, 0, CONNECTION_ID_BYTES)
        version, kind, destination = header[0], header[1], header[3]
        if kind != 0 or version != QUIC_V1:
            return False
        self._remote_addr, self._version = addr, version
        self._create_core(addr, destination, now)
        self._create_tls(remote_source_cid=None)
        return True

    def _drain_core(self) -> None:
        state = self.core.state
        if state == "draining" and self._close_event is None:
            self.closed_by_peer = True
        if not self.held or state in _ENDED:
            super()._drain_core()

    def _call_core(self, operation: Any, *args: Any) -> Any:
        outcome = super()._call_core(operation, *args)
        if self.held and operation.__name__.startswith("receive_") and outcome[5]:
            self.held_back += 1
        return outcome

    def _create_tls(self, remote_source_cid: bytes | None) -> Any:
        bridge = super()._create_tls(remote_source_cid)
        context: Any = bridge.tls
        context.__class__ = _MutualContext
        context.bind(self._check)
        [(kind, encoded)] = context.handshake_extensions
        parameters = pull_quic_transport_parameters(Buffer(data=encoded))
        parameters.initial_max_streams_bidi = self._limits.max_inbound_streams
        parameters.initial_max_streams_uni = 0  # libp2p has none
        parameters.max_datagram_frame_size = None  # nor unreliable datagrams
        buffer = Buffer(capacity=1024)
        push_quic_transport_parameters(buffer, parameters)
        context.handshake_extensions = [(kind, buffer.data)]
        return bridge

    def _create_core(self, remote_addr: Any, initial_dcid: bytes, now: float) -> None:
        limits = self._limits
        self._core = QuicConnectionCore(
            is_client=self._is_client,
            version=QUIC_V1,
            local_addr=("0.0.0.0", 0),  # noqa: S104 - qh3 does not use it
            remote_addr=remote_addr,
            source_cid=self.host_cid,
            destination_cid=initial_dcid,
            peer_address_validated=self._is_client or self._retry_source_connection_id is not None,
            active_connection_id_limit=2 if self._is_client else 8,  # as it is advertised
            max_datagram_size=MAX_DATAGRAM_BYTES,
            probe_datagram_size=False,
            idle_timeout=limits.idle_timeout_seconds,
            ack_delay_exponent=3,
            max_datagram_frame_size=None,
            peer_max_datagram_frame_size=None,
            connection_receive_window=limits.connection_window_bytes,
            connection_send_limit=0,
            stream_receive_window=limits.stream_window_bytes,
            stream_send_limit_bidi_local=0,
            stream_send_limit_bidi_remote=0,
            stream_send_limit_uni=0,
            max_stream_reassembly=limits.stream_window_bytes,
            local_max_streams_bidi=limits.max_inbound_streams,
            local_max_streams_uni=0,
            peer_max_streams_bidi=0,
            peer_max_streams_uni=0,
            initial_rtt=INITIAL_RTT_SECONDS,
            max_ack_delay=0.025,
            initial_time=now,
        )
        self._applied_transport_parameters = None
        self._pre_handshake_state_replayed = False
