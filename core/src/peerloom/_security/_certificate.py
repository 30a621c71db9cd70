"""libp2p's self-signed certificates: X.509 that carries a peer's key and its proof.

Source: libp2p/specs, tls. TLS and QUIC share it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtensionOID, NameOID

from peerloom._errors import HandshakeFailed, MalformedMessage
from peerloom._key_algorithms import MAX_RSA_BITS, MIN_RSA_BITS
from peerloom._libp2p import PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from peerloom._libp2p import KeyPair
    from peerloom._runtime import Runtime

MAX_CERTIFICATE_BYTES: Final = 8192  # an identity of RSA 8,192 bit makes one of about 2,600

_EXTENSION: Final = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
_PREFIX: Final = b"libp2p-tls-handshake:"
_BACKDATED: Final = timedelta(hours=1)  # for peers whose clock is behind, as go and js do
_LIFETIME: Final = timedelta(days=36_500)  # likewise
_UNDERSTOOD: Final = {_EXTENSION, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}
_MIN_DIGEST_BYTES: Final = SHA256.digest_size
_SEQUENCE: Final = 0x30
_OCTET_STRING: Final = 0x04
_UNUSABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,  # where warnings are errors
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def make_certificate(
    identity: KeyPair, runtime: Runtime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate that proves the identity, with a fresh P-256 key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "libp2p")])
    now = datetime.fromtimestamp(runtime.wall_time(), UTC)
    proof = identity.sign(_PREFIX + _spki(key.public_key()))
    signed_key = _encode_signed_key(identity.public_key.to_protobuf(), proof)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        # js cannot read serial numbers whose first byte is 0x80
        .serial_number(int.from_bytes(runtime.secret_bytes(8), "big") >> 2 | 1)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        # js reads the first extension only; critical ones trouble TLS libraries, so go's way
        .add_extension(x509.UnrecognizedExtension(_EXTENSION, signed_key), critical=False)
        .sign(key, SHA256())
    )
    return certificate, key


def verify_certificate(der: bytes, wall_time: float) -> PublicKey:
    """The key of the peer whose certificate this is; raises `HandshakeFailed` if it proves none.

    Checks all that the specification asks of one certificate; that there is only one, and that the
    other side owns its key, is the TLS stack's part.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise HandshakeFailed(f"a certificate of {len(der)} bytes, over the bound")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _check_validity(certificate, datetime.fromtimestamp(wall_time, UTC))
        signed_key = _signed_key_of(certificate)
        _check_self_signature(certificate)
        return _check_proof(signed_key, certificate)
    except InvalidSignature:
        raise HandshakeFailed("the certificate's self-signature is wrong") from None
    except MalformedMessage as error:
        raise HandshakeFailed(f"the certificate's libp2p extension: {error}") from None
    except _UNUSABLE as error:
        raise HandshakeFailed(f"the certificate is unusable: {error}") from None


def _check_validity(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        raise HandshakeFailed(f"the certificate is valid from {certificate.not_valid_before_utc}")
    if now > certificate.not_valid_after_utc:
        raise HandshakeFailed(f"the certificate expired at {certificate.not_valid_after_utc}")


def _signed_key_of(certificate: x509.Certificate) -> bytes:
    found = None
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            oid = extension.oid.dotted_string
            raise HandshakeFailed(f"the certificate has an unknown critical extension, {oid}")
        if isinstance(extension.value, x509.UnrecognizedExtension) and extension.oid == _EXTENSION:
            found = extension.value.value
    if found is None:
        raise HandshakeFailed("the certificate has no libp2p extension")
    return found


def _check_self_signature(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not _is_acceptable(key):
        raise HandshakeFailed("the certificate's own key is of a kind or size that is refused")
    digest = certificate.signature_hash_algorithm
    if digest is not None and digest.digest_size < _MIN_DIGEST_BYTES:
        raise HandshakeFailed(f"the certificate is signed with {digest.name}")
    certificate.verify_directly_issued_by(certificate)


def _is_acceptable(key: CertificatePublicKeyTypes) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)


def _check_proof(signed_key: bytes, certificate: x509.Certificate) -> PublicKey:
    blob, signature = _decode_signed_key(signed_key)
    key = PublicKey.from_protobuf(blob)
    if not key.verify(_PREFIX + _spki(certificate.public_key()), signature):
        raise HandshakeFailed(f"the certificate is not signed by {key.peer_id}, whom it names")
    return key


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _encode_signed_key(key: bytes, signature: bytes) -> bytes:
    return _der(_SEQUENCE, _der(_OCTET_STRING, key) + _der(_OCTET_STRING, signature))


def _decode_signed_key(data: bytes) -> tuple[bytes, bytes]:
    content, rest = _read_der(_SEQUENCE, data)
    key, behind = _read_der(_OCTET_STRING, content)
    signature, end = _read_der(_OCTET_STRING, behind)
    if rest or end:
        raise MalformedMessage("bytes behind its end")
    return key, signature


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(encoded))) + encoded + content


def _read_der(tag: int, data: bytes) -> tuple[bytes, bytes]:
    """The content of the element that stands first, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        raise MalformedMessage("not the expected DER element")
    start, size = 2, data[1]
    if size >= 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(data[2:start], "big")
    content = data[start : start + size]
    if _der(tag, content) != data[: start + size]:
        raise MalformedMessage("a DER element is cut short or not canonical")
    return content, data[start + size :]
