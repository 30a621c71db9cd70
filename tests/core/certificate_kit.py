"""Certificates good and bad, for the tests of TLS (and of QUIC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import Factory, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from peerloom._libp2p import KeyPair  # noqa: TC001 - attrs resolves it
from tests.core.security_kit import ALICE

EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
NOW = datetime.now(UTC).replace(microsecond=0)  # a real node judges these by the real time
HOUR = timedelta(hours=1)

SigningKey = (
    ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
)
Verifying = (
    ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey | dsa.DSAPublicKey
)
Extensions = list[tuple[x509.ExtensionType, bool]]


@frozen
class Recipe:
    """What to bake: by default a certificate in which nothing is wrong."""

    identity: KeyPair = ALICE
    key: SigningKey = Factory(lambda: ec.generate_private_key(ec.SECP256R1()))
    signer: SigningKey | None = None
    since: datetime = NOW - HOUR
    until: datetime = NOW + 24 * HOUR
    issuer: str = "libp2p"
    extension: bytes | None = None
    extension_oid: x509.ObjectIdentifier | None = EXTENSION
    extension_critical: bool = False
    before: Extensions = Factory(list)
    behind: Extensions = Factory(list)


def proof_of(identity: KeyPair, key: Verifying) -> bytes:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return identity.sign(b"libp2p-tls-handshake:" + spki)


def signed_key(key: bytes, signature: bytes) -> bytes:
    content = _element(4, key) + _element(4, signature)
    return _element(0x30, content)


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = bytes([tag, size]) if size < 128 else bytes([tag, 0x82]) + size.to_bytes(2, "big")
    if 128 <= size < 256:
        head = bytes([tag, 0x81, size])
    return head + content


def bake(recipe: Recipe) -> bytes:
    return build(recipe).public_bytes(Encoding.DER)


def build(recipe: Recipe) -> x509.Certificate:
    public = recipe.key.public_key()
    value = recipe.extension
    if value is None:
        proof = proof_of(recipe.identity, public)
        value = signed_key(recipe.identity.public_key.to_protobuf(), proof)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name("libp2p"))
        .issuer_name(_name(recipe.issuer))
        .public_key(public)
        .serial_number(7)
        .not_valid_before(recipe.since)
        .not_valid_after(recipe.until)
    )
    extensions = list(recipe.before)
    if recipe.extension_oid is not None:
        libp2p = x509.UnrecognizedExtension(recipe.extension_oid, value)
        extensions.append((libp2p, recipe.extension_critical))
    for extension, critical in [*extensions, *recipe.behind]:
        builder = builder.add_extension(extension, critical)
    signer = recipe.signer or recipe.key
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, digest)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def bad_recipes() -> dict[str, tuple[Recipe, str]]:
    """Certificates that can be shown in a handshake, each with what must be said of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    proof = proof_of(ALICE, key.public_key())
    blob = ALICE.public_key.to_protobuf()
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x")
    return {
        "expired": (Recipe(since=NOW - 3 * HOUR, until=NOW - HOUR), "expired"),
        "not yet valid": (Recipe(since=NOW + HOUR), "valid from"),
        "no extension": (Recipe(extension_oid=None), "no libp2p extension"),
        "another extension": (
            Recipe(extension_oid=x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.2")),
            "no libp2p extension",
        ),
        "unknown critical extension": (
            Recipe(behind=[(unknown, True)]),
            "unknown critical extension, 1.2.3.4",
        ),
        "proof of a wrong signature": (
            Recipe(extension=signed_key(blob, bytes(64))),
            "is not signed by",
        ),
        "empty proof": (Recipe(extension=signed_key(b"", b"")), "extension"),
        "bytes behind the proof": (
            Recipe(key=key, extension=signed_key(blob, proof) + b"\0"),
            "bytes behind its end",
        ),
        "host key of RSA 1024": (
            Recipe(extension=signed_key(_weak_rsa_blob(), bytes(128))),
            "not a usable rsa key",
        ),
        "own key of RSA 1024": (
            Recipe(key=rsa.generate_private_key(65537, 1024)),
            "kind or size",
        ),
        "signed by another key": (
            Recipe(key=key, signer=ec.generate_private_key(ec.SECP256R1())),
            "self-signature is wrong",
        ),
        "issued by another name": (Recipe(issuer="somebody"), "is unusable"),
    }


def _weak_rsa_blob() -> bytes:
    key = rsa.RSAPublicNumbers(65537, (1 << 1024) - 1).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"\x08\x00\x12" + bytes([len(spki) & 127 | 128, len(spki) >> 7]) + spki


def bad_certificates() -> dict[str, tuple[bytes, str]]:
    """Those, and some that no TLS stack would load to show."""
    good = bake(Recipe())
    own_dsa = dsa.generate_private_key(2048)
    return {name: (bake(recipe), reason) for name, (recipe, reason) in bad_recipes().items()} | {
        "key of DSA": (bake(Recipe(key=own_dsa)), "kind or size"),
        "garbage": (b"\x30\x82\x01\x00" + bytes(256), "is unusable"),
        "cut short": (good[:-1], "is unusable"),
        "bytes behind it": (good + b"\0", "is unusable"),
        "nothing": (b"", "is unusable"),
    }
