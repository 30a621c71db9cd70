"""Certificates: libp2p/specs, tls, and advisory GHSA-5hq8-qhww-jm7q."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom._errors import HandshakeFailed
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType
from peerloom._security._certificate import (
    MAX_CERTIFICATE_BYTES,
    make_certificate,
    verify_certificate,
)
from tests.core.certificate_kit import (
    EXTENSION,
    NOW,
    Recipe,
    bad_certificates,
    bake,
    proof_of,
    signed_key,
)
from tests.core.security_kit import ALICE, BOB, MALLORY, RUNTIME

VECTORS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("certificate_vectors.json").read_text()
)
BAD = bad_certificates()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "secp256k1"])
def test_the_specifications_certificates_prove_their_peers(kind: str) -> None:
    vector = VECTORS[kind]
    key = verify_certificate(bytes.fromhex(vector["certificate"]), NOW.timestamp())
    assert str(key.peer_id) == vector["peer"]
    assert key.key_type == kind


def test_the_specifications_invalid_certificate_is_refused() -> None:
    with pytest.raises(HandshakeFailed, match="is not signed by"):
        verify_certificate(bytes.fromhex(VECTORS["invalid"]["certificate"]), NOW.timestamp())


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_our_certificate_proves_us(key_type: KeyType) -> None:
    identity = KeyPair.generate(key_type)
    certificate, key = make_certificate(identity, RUNTIME)
    der = certificate.public_bytes(Encoding.DER)
    assert verify_certificate(der, RUNTIME.wall_time()) == identity.public_key
    assert key.public_key() == certificate.public_key()


def test_the_libp2p_extension_comes_first_and_is_not_critical() -> None:
    certificate, _ = make_certificate(ALICE, RUNTIME)
    assert [e.oid for e in certificate.extensions] == [EXTENSION]
    assert not certificate.extensions[0].critical


def test_our_certificate_is_valid_an_hour_ago_and_for_decades() -> None:
    certificate, _ = make_certificate(ALICE, RUNTIME)
    now = datetime.fromtimestamp(RUNTIME.wall_time(), UTC)
    assert certificate.not_valid_before_utc < now - timedelta(minutes=59)
    assert certificate.not_valid_after_utc > now + timedelta(days=36_000)
    assert 0 < certificate.serial_number < 1 << 62


def test_py_libp2p_accepts_our_certificate_and_we_accept_its() -> None:
    from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: PLC0415 - slow import
    from libp2p.security.tls import certificate as theirs  # noqa: PLC0415

    certificate, _ = make_certificate(ALICE, RUNTIME)
    key = theirs.verify_certificate_chain([certificate])
    assert key.serialize() == ALICE.public_key.to_protobuf()

    key_pair = create_new_key_pair()
    pem, _ = theirs.generate_certificate(key_pair.private_key, theirs.create_cert_template())
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    shown = verify_certificate(der, RUNTIME.wall_time())
    assert shown.to_protobuf() == key_pair.public_key.serialize()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_certificate_is_refused(name: str) -> None:
    der, reason = BAD[name]
    with pytest.raises(HandshakeFailed, match=reason):
        verify_certificate(der, NOW.timestamp())


@pytest.mark.parametrize("key", [ec.SECP256R1(), ec.SECP384R1(), "ed25519", "rsa"])
def test_certificates_of_other_key_kinds_are_accepted(key: object) -> None:
    own: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    if isinstance(key, ec.EllipticCurve):
        own = ec.generate_private_key(key)
    elif key == "rsa":
        own = rsa.generate_private_key(65537, 2048)
    else:
        own = ed25519.Ed25519PrivateKey.generate()
    der = bake(Recipe(key=own))
    assert verify_certificate(der, NOW.timestamp()) == ALICE.public_key


def test_a_critical_libp2p_extension_is_accepted_as_rust_and_js_send_it() -> None:
    der = bake(Recipe(extension_critical=True))
    assert verify_certificate(der, NOW.timestamp()) == ALICE.public_key


def test_other_extensions_may_stand_before_and_behind() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"anything")
    der = bake(
        Recipe(
            before=[(x509.BasicConstraints(ca=False, path_length=None), True)],
            behind=[(unknown, False)],
        )
    )
    assert verify_certificate(der, NOW.timestamp()) == ALICE.public_key


def test_a_certificate_ends_at_its_second() -> None:
    der = bake(Recipe(until=NOW + timedelta(hours=1)))
    assert verify_certificate(der, (NOW + timedelta(hours=1)).timestamp()) == ALICE.public_key
    with pytest.raises(HandshakeFailed, match="expired"):
        verify_certificate(der, (NOW + timedelta(hours=1, seconds=1)).timestamp())


def test_a_proof_for_another_certificate_proves_nothing() -> None:
    foreign = proof_of(ALICE, ec.generate_private_key(ec.SECP256R1()).public_key())
    der = bake(Recipe(extension=signed_key(ALICE.public_key.to_protobuf(), foreign)))
    with pytest.raises(HandshakeFailed, match="is not signed by"):
        verify_certificate(der, NOW.timestamp())


def test_somebody_elses_key_beside_ones_own_proof_proves_nothing() -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    proof = proof_of(MALLORY, own.public_key())
    der = bake(Recipe(key=own, extension=signed_key(BOB.public_key.to_protobuf(), proof)))
    with pytest.raises(HandshakeFailed, match="is not signed by"):
        verify_certificate(der, NOW.timestamp())


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_one_changed_byte_spoils_a_certificate(data: st.DataObject) -> None:
    der = bytearray(bytes.fromhex(VECTORS["ed25519"]["certificate"]))
    position = data.draw(st.integers(0, len(der) - 1))
    der[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(HandshakeFailed):
        verify_certificate(bytes(der), NOW.timestamp())


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_certificate_are_refused(data: bytes) -> None:
    with pytest.raises(HandshakeFailed):
        verify_certificate(data, NOW.timestamp())


@given(st.binary(max_size=120))
@settings(max_examples=50, deadline=None)
def test_an_extension_of_garbage_is_refused(value: bytes) -> None:
    with pytest.raises(HandshakeFailed, match="extension"):
        verify_certificate(bake(Recipe(extension=value)), NOW.timestamp())


def test_a_certificate_has_a_bound() -> None:
    with pytest.raises(HandshakeFailed, match="over the bound"):
        verify_certificate(bytes(MAX_CERTIFICATE_BYTES + 1), NOW.timestamp())
