"""TLS 1.3 as libp2p uses it (libp2p/specs, tls), sans-IO on pyOpenSSL.

The standard library's ``ssl`` cannot ask a client for a self-signed certificate. One context per
role serves a whole node; a connection belongs to one thread.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import ref

import anyio
from OpenSSL import SSL, crypto

from peerloom._errors import HandshakeFailed, RecordError, WrongPeerId
from peerloom._links import Role, Secured

from ._certificate import make_certificate, verify_certificate
from ._openssl_records import SMALL_BYTES, OpenSslRecords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peerloom._libp2p import KeyPair, PublicKey
    from peerloom._links import Buffer
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime

MAX_HANDSHAKE_BYTES: Final = 65_536  # an honest handshake takes about 6,000
MAX_UNANSWERED_BYTES: Final = 262_144  # read before OpenSSL's own replies are looked at
MAX_REPLY_BYTES: Final = 65_536  # of them may wait for the next write; an honest peer causes none
PIECE_BYTES: Final = 64 * 1024  # of what has come, that OpenSSL is given at a time

_FALLBACK: Final = b"libp2p"  # ALPN of nodes that negotiate the muxer after the handshake
_RECORD_START: Final = b"\x17\x03\x03"  # of all that follow the handshake (RFC 8446, 5.2)
_HEADER_BYTES: Final = 5
_TAG_BYTES: Final = 17  # and the inner type
_CIPHERS: Final = b"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
_ENABLE_PARTIAL_WRITE: Final = 1  # OpenSSL's number; pyOpenSSL sets it and has no name for it
_METHODS: Final = {Role.DIALER: SSL.TLS_CLIENT_METHOD, Role.LISTENER: SSL.TLS_SERVER_METHOD}


class Tls:
    """The security protocol ``/tls/1.0.0`` of one node."""

    protocol_id = "/tls/1.0.0"

    def __init__(self, identity: KeyPair, runtime: Runtime, muxers: Sequence[str]) -> None:
        """Make the node's certificate; `muxers` are offered early, in order of preference."""
        self._runtime = runtime
        self._protocols = [*(muxer.encode() for muxer in muxers), _FALLBACK]
        certificate, key = make_certificate(identity, runtime)
        self._contexts = {role: SSL.Context(_METHODS[role]) for role in Role}
        for context in self._contexts.values():
            context.use_certificate(certificate)
            context.use_privatekey(key)
            self._restrict(context)
        self._contexts[Role.DIALER].set_alpn_protos(self._protocols)
        self._contexts[Role.LISTENER].set_alpn_select_callback(self._select)

    def handshake(self, role: Role, expected: PeerId | None) -> TlsHandshake:
        """A new handshake; `expected` is the peer that must answer, or None for anybody."""
        return TlsHandshake(self, role, expected)

    def connection(self, role: Role) -> SSL.Connection:
        """A connection over memory, in its role."""
        connection = SSL.Connection(self._contexts[role], None)
        if role is Role.DIALER:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return connection

    def verify(self, der: bytes) -> PublicKey:
        """The key that a certificate proves; raises `HandshakeFailed`."""
        return verify_certificate(der, self._runtime.wall_time())

    def muxer(self, protocol: bytes) -> str | None:
        """The muxer that an application protocol stands for; raises `HandshakeFailed`."""
        if protocol in {b"", _FALLBACK}:
            return None
        if protocol not in self._protocols:
            raise HandshakeFailed(f"TLS: application protocol {protocol!r} was not offered")
        return protocol.decode()

    def _restrict(self, context: SSL.Context) -> None:
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(_CIPHERS)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        # A resumed session would skip the certificate.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.clear_mode(_ENABLE_PARTIAL_WRITE)  # many records in one call: a third faster

    def _select(self, _connection: SSL.Connection, offered: list[bytes]) -> bytes:
        # Inlined muxer negotiation: the client's preference wins.
        for protocol in offered:
            if protocol in self._protocols:
                return protocol
        raise HandshakeFailed(f"TLS: no common application protocol among {offered}")


class TlsHandshake:
    """One side of one handshake.

    Attributes:
        secured: the outcome, once there is one.
        alert: after a failure, what to send before the pipe is closed.
    """

    def __init__(self, tls: Tls, role: Role, expected: PeerId | None) -> None:
        """Used by `Tls.handshake`."""
        self.secured: Secured | None = None
        self.alert = b""
        self._tls = tls
        self._role = role
        self._expected = expected
        self._key: PublicKey | None = None
        self._refusal: HandshakeFailed | None = None
        self._received = 0
        self._connection = tls.connection(role)
        self._connection.set_app_data(ref(self))
        self._openssl = OpenSslRecords(self._connection)

    def step(self, data: bytes) -> bytes:
        """Feed received bytes; gives the bytes to send. Raises `HandshakeFailed`."""
        if self._received > MAX_HANDSHAKE_BYTES:
            raise self._failed("TLS: no end of the handshake in sight")
        self._received += len(data)
        if data:
            self._connection.bio_write(data)
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return bytes(self._openssl.output())
        except SSL.Error as error:
            raise self._failed(_reason(error)) from None
        except HandshakeFailed as error:
            raise self._failed(str(error)) from None
        try:
            self.secured = self._finish()
        except (HandshakeFailed, RecordError) as error:
            self._openssl.output()  # our last flight, which nobody shall have now
            raise self._failed(str(error)) from None
        return bytes(self._openssl.output())

    def accepts(self, certificate: crypto.X509) -> bool:
        """OpenSSL's question; it asks once for each objection of its own and once at the end."""
        if self._key is None and self._refusal is None:
            try:
                der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
                self._key = self._tls.verify(der)
                if self._expected is not None and self._key.peer_id != self._expected:
                    raise WrongPeerId(self._expected, self._key.peer_id)
            except HandshakeFailed as error:
                self._refusal = error
        return self._refusal is None

    def _finish(self) -> Secured:
        if self._key is None:
            raise HandshakeFailed("TLS: the other side showed no certificate")
        chain = self._connection.get_peer_cert_chain() or []
        # OpenSSL leaves the peer's own certificate out of the chain that a server sees.
        if len(chain) > (1 if self._role is Role.DIALER else 0):
            raise HandshakeFailed("TLS: the other side sent more than one certificate")
        records = TlsRecords(self._connection, self._openssl)
        return Secured(
            peer=self._key.peer_id,
            public_key=self._key,
            records=records,
            muxer=self._tls.muxer(self._connection.get_alpn_proto_negotiated()),
            early_data=records.start(),
        )

    def _failed(self, reason: str) -> HandshakeFailed:
        self.alert = bytes(self._openssl.output())
        return self._refusal or HandshakeFailed(reason)


class TlsRecords:
    """The record layer of one finished handshake."""

    def __init__(self, connection: SSL.Connection, openssl: OpenSslRecords) -> None:
        """Take over the connection from its handshake."""
        self._connection = connection
        self._openssl = openssl
        self._ended = False
        self._broken: str | None = None
        self._unanswered = 0
        self._replies = b""

    def start(self) -> list[bytes]:
        """What arrived right behind the handshake; it would wake no reader."""
        early: list[bytes] = []
        with suppress(anyio.EndOfStream):
            early += filter(None, self._open(b""))
        return early

    def seal(self, pieces: Sequence[Buffer]) -> Buffer:
        """Encrypt; raises `RecordError` on a broken connection."""
        try:
            sealed = self._openssl.seal(pieces)
        except SSL.Error as error:
            raise self._break(error) from None
        self._unanswered = 0
        if self._replies:
            sealed, self._replies = self._replies + sealed, b""
        return sealed

    def open(self, data: bytes) -> Iterator[bytes]:
        """Decrypt what arrived, keeping a started record for the next call.

        Raises `RecordError` when a record was tampered with, or when the other side refused us,
        and `anyio.EndOfStream` when its close_notify stands alone.
        """
        if self._broken is not None:
            raise RecordError(self._broken)
        if self._ended:
            raise anyio.EndOfStream
        return self._open(data)

    def finish(self) -> bytes:
        """The close_notify; after a failure the alert that says why."""
        with suppress(SSL.Error):
            self._connection.shutdown()
        return self._replies + self._openssl.output()

    def end_of_input(self) -> None:
        """The pipe has ended: raises `RecordError` unless a close_notify came first."""
        if not self._ended:
            raise RecordError(self._broken or "TLS: the connection was cut without close_notify")

    def _open(self, data: bytes) -> Iterator[bytes]:
        heard = False
        try:
            size = _only_record_size(data)
            if 0 < size <= SMALL_BYTES:
                self._put(data)
                plaintext = self._openssl.receive_one()
                heard = True
                yield plaintext
                if len(plaintext) == size:
                    return
                data = b""
            for piece in _pieces(data):
                self._put(piece)
                for plaintext in self._openssl.receive():
                    heard = True
                    yield plaintext
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self._ended = True
            if not heard:
                raise anyio.EndOfStream from None
        except SSL.Error as error:
            raise self._break(error) from None

    def _put(self, data: Buffer) -> None:
        self._openssl.put(data)
        # OpenSSL answers key updates by itself; nobody may pile those answers up.
        self._unanswered += len(data)
        if self._unanswered >= MAX_UNANSWERED_BYTES:
            self._collect_replies()

    def _collect_replies(self) -> None:
        self._unanswered = 0
        self._replies += self._openssl.output()
        if len(self._replies) > MAX_REPLY_BYTES:
            self._broken = "TLS: a flood of key updates"
            raise RecordError(self._broken)

    def _break(self, error: SSL.Error) -> RecordError:
        self._broken = _reason(error)
        return RecordError(self._broken)


def _verify(
    connection: SSL.Connection, certificate: crypto.X509, _error: int, _depth: int, _ok: int
) -> bool:
    handshake: TlsHandshake | None = connection.get_app_data()()
    return handshake is not None and handshake.accepts(certificate)


def _only_record_size(data: bytes) -> int:
    """How much plaintext makes up the data, if it is one whole record; else 0.

    To be told by OpenSSL that there is no more costs as much as to decrypt a small record.
    """
    if data[:3] == _RECORD_START and int.from_bytes(data[3:_HEADER_BYTES], "big") == (
        size := len(data) - _HEADER_BYTES
    ):
        return size - _TAG_BYTES
    return 0


def _pieces(data: bytes) -> Iterator[Buffer]:
    """Not too much at a time: it may be thousands of records or key updates.

    And OpenSSL keeps for the connection the memory that it has once needed.
    """
    if len(data) <= PIECE_BYTES:
        yield data
        return
    view = memoryview(data)
    for start in range(0, len(data), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for an error, without the places in its source."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "TLS: " + (", ".join(entry[-1] for entry in entries) or "failed without a reason")
