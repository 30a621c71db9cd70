"""Keys: libp2p/specs, peer-ids, and advisories CVE-2023-39533 and CVE-2026-110789."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom._errors import IdentityError, MalformedMessage
from peerloom._framing import encode_varint
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType, PublicKey
from peerloom._libp2p._keys import MAX_PRIVATE_KEY_BYTES, MAX_PUBLIC_KEY_BYTES

VECTORS: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("key_vectors.json").read_text()
)
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def key_pairs() -> dict[KeyType, KeyPair]:
    return {key_type: KeyPair.generate(key_type) for key_type in KEY_TYPES}


def key_blob(number: int, data: bytes) -> bytes:
    return bytes((8, number, 0x12)) + encode_varint(len(data)) + data


def spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def rsa_of(bits: int, exponent: int = 65537) -> bytes:
    """A public key of that size; nobody knows its private half, and nobody needs it."""
    return spki(rsa.RSAPublicNumbers(exponent, (1 << bits) - 1).public_key())


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_the_specifications_private_key_gives_its_public_key(key_type: str) -> None:
    vector = VECTORS[key_type]
    key_pair = KeyPair.from_protobuf(bytes.fromhex(vector["private"]))
    assert key_pair.public_key.to_protobuf().hex() == vector["public"]
    assert key_pair.to_protobuf().hex() == vector["private"]
    assert key_pair.public_key == PublicKey.from_protobuf(bytes.fromhex(vector["public"]))
    assert key_pair.public_key.key_type == key_type


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_key_verifies_what_it_signed_and_nothing_else(
    key_type: KeyType, key_pairs: dict[KeyType, KeyPair]
) -> None:
    key_pair = key_pairs[key_type]
    signature = key_pair.sign(b"a sentence")
    assert key_pair.public_key.verify(b"a sentence", signature)
    assert not key_pair.public_key.verify(b"another", signature)
    assert not KeyPair.generate(key_type).public_key.verify(b"a sentence", signature)
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), bytes(70_000)):
        assert not key_pair.public_key.verify(b"a sentence", wrong)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_both_halves_survive_a_round_trip(
    key_type: KeyType, key_pairs: dict[KeyType, KeyPair]
) -> None:
    key_pair = key_pairs[key_type]
    again = KeyPair.from_protobuf(key_pair.to_protobuf())
    assert again.public_key == key_pair.public_key
    assert hash(again.public_key) == hash(key_pair.public_key)
    assert again.peer_id == key_pair.peer_id
    assert PublicKey.from_protobuf(key_pair.public_key.to_protobuf()).verify(b"x", again.sign(b"x"))


def test_the_private_half_stands_in_no_text() -> None:
    key_pair = KeyPair.from_seed(b"a seed of thirty-two bytes here!")
    assert repr(key_pair) == f"KeyPair(ed25519, {key_pair.peer_id})"
    assert repr(key_pair.public_key) == f"PublicKey(ed25519, {key_pair.peer_id})"


def test_a_seed_always_gives_the_same_peer() -> None:
    assert KeyPair.from_seed(bytes(32)).peer_id == KeyPair.from_seed(bytes(32)).peer_id
    assert KeyPair.from_seed(bytes(32)).peer_id != KeyPair.from_seed(b"\1" * 32).peer_id


@pytest.mark.parametrize("key_type", ["ed25519", "secp256k1", "rsa"])
def test_py_libp2p_and_we_verify_each_others_signatures(
    key_type: KeyType, key_pairs: dict[KeyType, KeyPair]
) -> None:
    from libp2p.crypto.serialization import deserialize_public_key  # noqa: PLC0415 - slow import

    ours = key_pairs[key_type]
    theirs = deserialize_public_key(ours.public_key.to_protobuf())
    assert theirs.verify(b"text", ours.sign(b"text"))
    assert theirs.serialize() == ours.public_key.to_protobuf()


@pytest.mark.parametrize("module", ["ed25519", "secp256k1", "rsa"])
def test_private_keys_that_py_libp2p_wrote_can_be_read(module: str) -> None:
    from importlib import import_module  # noqa: PLC0415 - slow import

    theirs = import_module(f"libp2p.crypto.{module}").create_new_key_pair()
    ours = KeyPair.from_protobuf(theirs.private_key.serialize())
    assert ours.public_key.to_protobuf() == theirs.public_key.serialize()
    assert ours.public_key.verify(b"text", theirs.private_key.sign(b"text"))


def test_old_ed25519_files_repeat_the_public_half() -> None:
    blob = bytes.fromhex(VECTORS["ed25519"]["private"])
    public = blob[-32:]
    old = key_blob(1, blob[4:] + public)
    assert KeyPair.from_protobuf(old).to_protobuf() == blob
    with pytest.raises(IdentityError):
        KeyPair.from_protobuf(key_blob(1, blob[4:] + bytes(32)))
    with pytest.raises(IdentityError):
        KeyPair.from_protobuf(key_blob(1, blob[4:36] + bytes(32)))


def test_secp256k1_signatures_are_of_low_s_and_others_are_refused() -> None:
    key_pair = KeyPair.generate("secp256k1")
    for number in range(16):
        text = bytes([number])
        signature = key_pair.sign(text)
        r, s = decode_dss_signature(signature)
        assert s <= SECP256K1_ORDER // 2
        high = encode_dss_signature(r, SECP256K1_ORDER - s)
        assert not key_pair.public_key.verify(text, high)


@pytest.mark.parametrize("bits", [2048, 3072, 8192])
def test_rsa_keys_of_2048_to_8192_bit_are_read(bits: int) -> None:
    blob = key_blob(0, rsa_of(bits))
    assert len(blob) < MAX_PUBLIC_KEY_BYTES
    assert PublicKey.from_protobuf(blob).to_protobuf() == blob


@pytest.mark.parametrize(
    ("bits", "exponent"), [(1024, 65537), (2047, 65537), (8193, 65537), (2048, 2**31 + 1)]
)
def test_rsa_keys_that_are_weak_or_only_cost_time_are_refused(bits: int, exponent: int) -> None:
    with pytest.raises(MalformedMessage, match="not a usable rsa key"):
        PublicKey.from_protobuf(key_blob(0, rsa_of(bits, exponent)))


def test_rsa_keys_of_16384_bit_are_refused_unparsed() -> None:
    with pytest.raises(MalformedMessage, match="over the bound"):
        PublicKey.from_protobuf(key_blob(0, rsa_of(16384)))


def test_ecdsa_keys_stand_on_p256_only() -> None:
    other = spki(ec.generate_private_key(ec.SECP384R1()).public_key())
    with pytest.raises(MalformedMessage, match="not on P-256"):
        PublicKey.from_protobuf(key_blob(3, other))


def test_keys_of_one_type_under_the_number_of_another_are_refused() -> None:
    ed, curve = spki(ed25519.Ed25519PrivateKey.generate().public_key()), VECTORS["ecdsa"]["public"]
    for number, data in [(0, ed), (3, ed), (0, bytes.fromhex(curve)[4:]), (3, rsa_of(2048))]:
        with pytest.raises(MalformedMessage):
            PublicKey.from_protobuf(key_blob(number, data))


def test_one_key_has_one_encoding_and_so_one_peer_id() -> None:
    compressed = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = compressed.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    with pytest.raises(MalformedMessage, match="canonical"):
        PublicKey.from_protobuf(key_blob(3, head + point))
    uncompressed = ec.generate_private_key(ec.SECP256K1()).public_key()
    point = uncompressed.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with pytest.raises(MalformedMessage, match="compressed"):
        PublicKey.from_protobuf(key_blob(2, point))


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x08",
        b"\x08\x01",
        b"\x08\x01\x12",
        b"\x08\x01\x12\x20" + bytes(31),
        b"\x08\x01\x12\x20" + bytes(33),
        b"\x08\x01\x12\xa0\x00" + bytes(32),  # a length that is not minimal
        b"\x08\x81\x00\x12\x20" + bytes(32),  # likewise the type
        b"\x12\x20" + bytes(32) + b"\x08\x01",  # the other order
        b"\x08\x01\x12\x20" + bytes(32) + b"\x18\x01",  # a further field
        b"\x08\x04\x12\x20" + bytes(32),
        b"\x08\xff\x12\x20" + bytes(32),
        b"\x08\x01\x12\x1f" + bytes(31),
        b"\x08\x02\x12\x21" + bytes(33),  # no point
        b"\x08\x02\x12\x21\x02" + b"\xff" * 32,  # not on the curve
        b"\x08\x00\x12\x84\x80\x80\x80\x10" + bytes(40),
        b"\x08\x03\x12\x06\x30\x84\xff\xff\xff\xff",  # CVE-2026-110789: longer than the buffer
        b"\x08\x00\x12\x06\x30\x84\xff\xff\xff\xff",
        b"\x08\x00\x12\x02\x30\x80",
        bytes(MAX_PUBLIC_KEY_BYTES + 1),
    ],
)
def test_other_blobs_are_no_public_keys(blob: bytes) -> None:
    with pytest.raises(MalformedMessage):
        PublicKey.from_protobuf(blob)


def test_an_rsa_key_without_its_type_is_read_as_py_libp2p_writes_it_in_envelopes() -> None:
    blob = key_blob(0, rsa_of(2048))
    assert PublicKey.from_protobuf(blob[2:]).to_protobuf() == blob


def _flipped(position: int, value: int) -> bytes:
    vectors = [bytes.fromhex(vector["public"]) for vector in VECTORS.values()]
    blob = bytearray(vectors[position % len(vectors)])
    blob[position // len(vectors) % len(blob)] ^= value
    return bytes(blob)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(key_blob, st.integers(0, 3), st.binary(max_size=200)),
        st.builds(
            _flipped,
            st.integers(0, 10_000),
            st.integers(1, 255),
        ),
    )
)
def test_no_public_key_blob_raises_anything_else_or_takes_long(blob: bytes) -> None:
    before = time.thread_time()
    with suppress(MalformedMessage):
        PublicKey.from_protobuf(blob).verify(b"text", b"signature")
    assert time.thread_time() - before < 0.05


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.builds(key_blob, st.integers(0, 4), st.binary(max_size=200))
    )
)
def test_no_private_key_blob_raises_anything_else(blob: bytes) -> None:
    with suppress(IdentityError):
        KeyPair.from_protobuf(blob)


def test_a_private_key_has_a_bound() -> None:
    with pytest.raises(IdentityError, match="over the bound"):
        KeyPair.from_protobuf(bytes(MAX_PRIVATE_KEY_BYTES + 1))


def test_keys_and_identities_are_usable_without_importing_py_libp2p() -> None:
    code = (
        "import sys\n"
        "from peerloom._libp2p import KeyPair, PublicKey\n"
        "import peerloom._identity, peerloom._security\n"
        "PublicKey.from_protobuf(KeyPair.generate().public_key.to_protobuf())\n"
        "assert 'libp2p' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_load_imports_py_libp2p_and_silences_its_log() -> None:
    code = (
        "import logging, sys\n"
        "from peerloom._libp2p import load\n"
        "load()\n"
        "assert 'libp2p' in sys.modules\n"
        "assert not logging.getLogger('libp2p.network.swarm').isEnabledFor(logging.ERROR)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_many_threads_may_load_py_libp2p_at_once() -> None:
    """As nodes do that start side by side: its circular imports deadlock unless they take turns."""
    code = (
        "import time\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from peerloom._libp2p import load\n"
        "def later(delay):\n"
        "    time.sleep(delay)\n"
        "    load()\n"
        "with ThreadPoolExecutor(100) as threads:\n"
        "    list(threads.map(later, [number / 50 for number in range(100)]))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
