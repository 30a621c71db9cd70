"""Credentials: what a node shows in a QUIC handshake, and what it accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from peerloom._errors import HandshakeFailed, WrongPeerId
from peerloom._security._certificate import make_certificate, verify_certificate

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from peerloom._libp2p import KeyPair, PublicKey
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime


class Credentials:
    """A node's certificate and its key, and the check of others' certificates.

    Attributes:
        certificate: shown in every handshake.
        key: the certificate's own key.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        runtime: Runtime,
    ) -> None:
        self.certificate = certificate
        self.key = key
        self._runtime = runtime

    @classmethod
    def of(cls, identity: KeyPair, runtime: Runtime) -> Credentials:
        """Fresh ones that prove an identity."""
        return cls(*make_certificate(identity, runtime), runtime)

    def certificate_pem(self) -> bytes:
        """The certificate, encoded."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """The key, encoded."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def check(self, der: bytes, expected: PeerId | None) -> PublicKey:
        """The key that a certificate proves; raises `HandshakeFailed`, `WrongPeerId`."""
        key = verify_certificate(der, self._runtime.wall_time())
        if expected is not None and key.peer_id != expected:
            raise WrongPeerId(expected, key.peer_id)
        return key


class PeerCheck:
    """The check of one handshake, called by the engine's TLS.

    Attributes:
        public_key: what the other side has proven, or None.
        failure: why it was refused, or None.
    """

    def __init__(self, credentials: Credentials, expected: PeerId | None) -> None:
        self.public_key: PublicKey | None = None
        self.failure: HandshakeFailed | None = None
        self._credentials = credentials
        self._expected = expected

    def __call__(self, der: bytes) -> None:
        """Check a certificate; raises `HandshakeFailed`."""
        try:
            self.public_key = self._credentials.check(der, self._expected)
        except HandshakeFailed as error:
            self.failure = error
            raise
