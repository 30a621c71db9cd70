"""The four signature algorithms of libp2p's keys, each in its own encoding.

Source: libp2p/specs, peer-ids. Each runs on the library that is fastest at it: Ed25519 on
libsodium (half of OpenSSL's time), secp256k1 on libsecp256k1 (a tenth; it refuses high S, as
BIP 62 says), RSA and P-256 on OpenSSL. py-libp2p's key classes are not used: 0.8.1 has no ECDSA,
writes Ed25519 private keys in a form that others cannot read, and takes RSA keys of any small size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import coincurve
from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from nacl.signing import SigningKey, VerifyKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    Verify = Callable[[bytes, bytes], object]

MIN_RSA_BITS: Final = 2048  # the least that go and rust take
MAX_RSA_BITS: Final = 8192  # CVE-2023-39533: larger ones only cost time
MAX_RSA_EXPONENT: Final = 2**31 - 1  # the largest that go takes

_NEW_RSA_BITS: Final = 2048
_P256: Final = ec.SECP256R1.name
_ECDSA: Final = ec.ECDSA(SHA256())


@frozen
class PrivateHalf:
    """What a private key can do, and both halves in their type's encoding."""

    sign: Callable[[bytes], bytes]
    public_data: bytes
    private_data: bytes


@frozen
class Algorithm:
    """One key type. `verifier` and `private` raise ValueError on data that is no such key.

    What `verifier` gives takes data and signature, and raises when the signature is wrong.
    """

    verifier: Callable[[bytes], Verify]
    private: Callable[[bytes], PrivateHalf]
    generate: Callable[[], PrivateHalf]


def _ed25519_verifier(data: bytes) -> Verify:
    return VerifyKey(data).verify


def _ed25519_private(data: bytes) -> PrivateHalf:
    # 64 bytes: seed and public half; 96: old, public half twice; 32: py-libp2p, seed alone.
    if len(data) not in {32, 64, 96}:
        raise ValueError(f"{len(data)} bytes")
    key = SigningKey(data[:32])
    public = bytes(key.verify_key)
    if data[32:] != public * (len(data) // 32 - 1):
        raise ValueError("the public half is not of this private half")
    return PrivateHalf(lambda text: key.sign(text).signature, public, data[:32] + public)


def _rsa_verifier(data: bytes) -> Verify:
    key = _canonical_public(data)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not RSA")  # noqa: TRY004 - the data is wrong, not its type
    _check_rsa(key)
    return lambda text, signature: key.verify(signature, text, padding.PKCS1v15(), SHA256())


def _check_rsa(key: rsa.RSAPublicKey) -> None:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise ValueError(f"{key.key_size} bit, not {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    if key.public_numbers().e > MAX_RSA_EXPONENT:
        raise ValueError("its exponent is too large")


def _rsa_private(data: bytes) -> PrivateHalf:
    key = load_der_private_key(data, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not RSA")  # noqa: TRY004 - the data is wrong, not its type
    return _rsa_half(key)


def _rsa_half(key: rsa.RSAPrivateKey) -> PrivateHalf:
    _check_rsa(key.public_key())
    return PrivateHalf(
        lambda text: key.sign(text, padding.PKCS1v15(), SHA256()),
        _spki(key.public_key()),
        _traditional(key),
    )


def _ecdsa_verifier(data: bytes) -> Verify:
    key = _canonical_public(data)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _P256:
        raise ValueError("not on P-256")
    return lambda text, signature: key.verify(signature, text, _ECDSA)


def _ecdsa_private(data: bytes) -> PrivateHalf:
    key = load_der_private_key(data, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _P256:
        raise ValueError("not on P-256")
    return _ecdsa_half(key)


def _ecdsa_half(key: ec.EllipticCurvePrivateKey) -> PrivateHalf:
    # The specification says PKIX for the private half; its test vector, and go, write SEC 1.
    return PrivateHalf(
        lambda text: key.sign(text, _ECDSA), _spki(key.public_key()), _traditional(key)
    )


def _secp256k1_verifier(data: bytes) -> Verify:
    if len(data) != 33:
        raise ValueError("not a compressed point")
    key = coincurve.PublicKey(data)

    def verify(text: bytes, signature: bytes) -> None:
        if not key.verify(signature, text):
            raise InvalidSignature

    return verify


def _secp256k1_private(data: bytes) -> PrivateHalf:
    if len(data) != 32:
        raise ValueError(f"{len(data)} bytes")
    return _secp256k1_half(coincurve.PrivateKey(data))


def _secp256k1_half(key: coincurve.PrivateKey) -> PrivateHalf:
    return PrivateHalf(key.sign, key.public_key.format(), key.secret)


def _canonical_public(data: bytes) -> PublicKeyTypes:
    key = load_der_public_key(data)
    if _spki(key) != data:  # one key, one peer id
        raise ValueError("not in canonical DER")
    return key


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _traditional(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _generate_ed25519() -> PrivateHalf:
    return _ed25519_private(bytes(SigningKey.generate()))


def _generate_rsa() -> PrivateHalf:
    return _rsa_half(rsa.generate_private_key(65537, _NEW_RSA_BITS))


def _generate_secp256k1() -> PrivateHalf:
    return _secp256k1_half(coincurve.PrivateKey())


def _generate_ecdsa() -> PrivateHalf:
    return _ecdsa_half(ec.generate_private_key(ec.SECP256R1()))


RSA: Final = Algorithm(_rsa_verifier, _rsa_private, _generate_rsa)
ED25519: Final = Algorithm(_ed25519_verifier, _ed25519_private, _generate_ed25519)
SECP256K1: Final = Algorithm(_secp256k1_verifier, _secp256k1_private, _generate_secp256k1)
ECDSA: Final = Algorithm(_ecdsa_verifier, _ecdsa_private, _generate_ecdsa)
