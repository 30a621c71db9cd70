"""A peer played by plain OpenSSL, for the tests of TLS."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from OpenSSL import SSL

from peerloom._links import Role

if TYPE_CHECKING:
    from cryptography import x509

    from peerloom._security._tls import TlsHandshake
    from tests.core.certificate_kit import SigningKey


class Stranger:
    """Plain OpenSSL in the place of a peer, with whatever certificates and protocols."""

    def __init__(
        self,
        role: Role,
        certificates: list[x509.Certificate],
        key: SigningKey | None = None,
        *,
        alpn: list[bytes] | None = None,
        version: int = SSL.TLS1_3_VERSION,
        secrets: dict[str, bytes] | None = None,
    ) -> None:
        method = SSL.TLS_CLIENT_METHOD if role is Role.DIALER else SSL.TLS_SERVER_METHOD
        context = SSL.Context(method)
        context.set_max_proto_version(version)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # it may show keys that are too weak
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        if certificates and key is not None:
            context.use_certificate(certificates[0])
            context.use_privatekey(key)
        for further in certificates[1:]:
            context.add_extra_chain_cert(further)
        if alpn and role is Role.DIALER:
            context.set_alpn_protos(alpn)
        if alpn and role is Role.LISTENER:
            context.set_alpn_select_callback(lambda _connection, _offered: alpn[0])
        if secrets is not None:
            context.set_keylog_callback(lambda _connection, line: _note(secrets, line))
        self.context = context
        self.connection = SSL.Connection(context, None)
        if role is Role.DIALER:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()

    def step(self, data: bytes) -> bytes:
        if data:
            self.connection.bio_write(data)
        with suppress(SSL.WantReadError):
            self.connection.do_handshake()
        return self.out()

    def out(self) -> bytes:
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def meet(self, side: TlsHandshake) -> None:
        """Talk with one of our sides until one has no answer."""
        to_side, to_stranger = self.step(b""), side.step(b"")
        while to_side or to_stranger:
            to_stranger += side.step(to_side) if to_side and side.secured is None else b""
            to_side = self.step(to_stranger) if to_stranger else b""
            to_stranger = b""


def _note(secrets: dict[str, bytes], line: bytes) -> None:
    label, _, secret = line.decode().split()
    secrets[label] = bytes.fromhex(secret)
