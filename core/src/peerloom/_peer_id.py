"""PeerId: who a peer is, as a small value that is cheap to hash and to compare."""

from __future__ import annotations

import hashlib
from base64 import b32decode
from functools import lru_cache, total_ordering
from typing import Final

import base58

_IDENTITY: Final = 0x00
_SHA2_256: Final = 0x12
_MAX_INLINE_KEY_BYTES: Final = 42  # libp2p/specs peer-ids: longer keys are hashed
_LIBP2P_KEY_CODEC: Final = 0x72


@total_ordering
class PeerId:
    """The identity of a peer: the multihash of its public key.

    Source: libp2p/specs, peer-ids. The text form is base58btc (``12D3Koo…``, ``Qm…``);
    `from_string` also reads the CIDv1 form (``bafz…``).
    """

    __slots__ = ("_hash", "_multihash", "_text")

    def __init__(self, multihash: bytes) -> None:
        """Take a multihash; raises ValueError unless it is one that a peer id may have."""
        _check_multihash(multihash)
        self._multihash = bytes(multihash)
        self._hash = hash(self._multihash)
        self._text: str | None = None

    @classmethod
    def from_string(cls, text: str) -> PeerId:
        """Read the base58btc or the CIDv1 form; raises ValueError on anything else."""
        if not isinstance(text, str):
            raise TypeError(f"expected a peer id, found {text!r}")
        if text.startswith("/"):
            raise ValueError(
                f"{text!r} is not a peer id, but an address: dial it; the connection has the peer"
            )
        try:
            return cls(_multihash_of(text))
        except ValueError as error:
            raise ValueError(f"{text!r} is not a peer id: {error}") from None

    @classmethod
    def from_public_key(cls, protobuf: bytes) -> PeerId:
        """The peer id of a public key in its protobuf form (libp2p/specs, peer-ids)."""
        if len(protobuf) <= _MAX_INLINE_KEY_BYTES:
            return cls(bytes((_IDENTITY, len(protobuf))) + protobuf)
        return cls(bytes((_SHA2_256, 32)) + hashlib.sha256(protobuf).digest())

    def inline_public_key(self) -> bytes | None:
        """The public key's protobuf form where the id holds it whole (Ed25519, secp256k1)."""
        return self._multihash[2:] if self._multihash[0] == _IDENTITY else None

    def __bytes__(self) -> bytes:
        return self._multihash

    def __str__(self) -> str:
        if self._text is None:
            self._text = base58.b58encode(self._multihash).decode()
        return self._text

    def __repr__(self) -> str:
        return f"PeerId({str(self)!r})"

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PeerId):
            return NotImplemented
        return self._multihash == other._multihash

    def __lt__(self, other: PeerId) -> bool:
        return self._multihash < other._multihash


def check_peer(peer: object) -> None:
    """Raise TypeError unless it is a `PeerId`: text equals none, and would seem not to be there."""
    if not isinstance(peer, PeerId):
        raise TypeError(f"expected a PeerId, found {peer!r}: PeerId.from_string reads one")


@lru_cache(maxsize=1024)
def _multihash_of(text: str) -> bytes:
    """To read one again and again would take a part of each call that names a peer by its text."""
    return base58.b58decode(text) if text.startswith(("1", "Qm")) else _multihash_of_cid(text)


def _check_multihash(multihash: bytes) -> None:
    if len(multihash) < 2 or multihash[1] != len(multihash) - 2:
        raise ValueError("not a multihash")
    code, length = multihash[0], multihash[1]
    if code == _IDENTITY and 0 < length <= _MAX_INLINE_KEY_BYTES:
        return
    if code == _SHA2_256 and length == 32:
        return
    raise ValueError("a peer id is an identity or a SHA-256 multihash")


def _multihash_of_cid(text: str) -> bytes:
    if not text.startswith("b"):
        raise ValueError("neither base58btc nor a base32 CID")
    body = text[1:].upper()
    raw = b32decode(body + "=" * (-len(body) % 8))
    if len(raw) < 2 or raw[0] != 1 or raw[1] != _LIBP2P_KEY_CODEC:
        raise ValueError("not a CIDv1 with the codec libp2p-key")
    return raw[2:]
