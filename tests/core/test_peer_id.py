"""Peer ids: libp2p/specs, peer-ids."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom._libp2p import KeyPair, PublicKey
from peerloom._peer_id import PeerId

ED25519_TEXT = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
SHA256_TEXT = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
CID_TEXT = "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"


@pytest.mark.parametrize("text", [ED25519_TEXT, SHA256_TEXT])
def test_the_specifications_base58_examples_survive_a_round_trip(text: str) -> None:
    assert str(PeerId.from_string(text)) == text


def test_the_cid_form_names_the_same_peer_as_the_base58_form() -> None:
    assert PeerId.from_string(CID_TEXT) == PeerId.from_string(SHA256_TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "peer",
        "Qm",
        "1",
        "12D3KooW",
        ED25519_TEXT + "0",  # no base58 digit
        SHA256_TEXT[:-1],
        CID_TEXT[:-2],
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",  # a CID of a file
        "zb2rhk6GMPQF3hfzwXTaNYFLKomMeC6UXdUt6jZKPpeVirLtV",  # another base
    ],
)
def test_other_texts_are_refused_with_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a peer id"):
        PeerId.from_string(text)


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_are_a_multihash_that_survives_a_round_trip_or_a_value_error(data: bytes) -> None:
    try:
        peer = PeerId(data)
    except ValueError:
        return
    assert bytes(peer) == data
    assert PeerId.from_string(str(peer)) == peer


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_peer_id_or_a_value_error(text: str) -> None:
    try:
        peer = PeerId.from_string(text)
    except ValueError:
        return
    assert PeerId.from_string(str(peer)) == peer


@pytest.mark.parametrize("key_type", ["ed25519", "secp256k1"])
def test_short_keys_stand_in_the_id_itself(key_type: str) -> None:
    key_pair = KeyPair.generate(key_type)  # type: ignore[arg-type]
    blob = key_pair.peer_id.inline_public_key()
    assert blob is not None
    assert PublicKey.from_protobuf(blob) == key_pair.public_key


def test_long_keys_are_hashed() -> None:
    peer = KeyPair.generate("ecdsa").peer_id
    assert str(peer).startswith("Qm")
    assert peer.inline_public_key() is None


def test_ids_are_values_that_sort_hash_and_compare() -> None:
    first, second = PeerId.from_string(ED25519_TEXT), PeerId.from_string(SHA256_TEXT)
    assert {first, second} == {PeerId.from_string(ED25519_TEXT), PeerId.from_string(SHA256_TEXT)}
    assert sorted([second, first]) == [first, second]
    assert first != str(first)
    assert repr(first) == f"PeerId('{ED25519_TEXT}')"
