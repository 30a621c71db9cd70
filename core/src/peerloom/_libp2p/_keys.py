"""The keys that identify a peer, in the form that all libp2p implementations share."""

from __future__ import annotations

from typing import Final, Literal, get_args

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from nacl.exceptions import CryptoError

from peerloom._errors import IdentityError, MalformedMessage
from peerloom._framing import decode_varint, encode_varint
from peerloom._key_algorithms import (
    ECDSA,
    ED25519,
    MAX_RSA_BITS,
    RSA,
    SECP256K1,
    Algorithm,
    PrivateHalf,
)
from peerloom._peer_id import PeerId

KeyType = Literal["rsa", "ed25519", "secp256k1", "ecdsa"]
KEY_TYPES: Final[tuple[KeyType, ...]] = get_args(KeyType)  # each at its number in the protobuf

MAX_PUBLIC_KEY_BYTES: Final = 1280  # RSA of 8192 bit takes 1,068
MAX_PRIVATE_KEY_BYTES: Final = 8192  # RSA of 8192 bit takes 4,650
MAX_SIGNATURE_BYTES: Final = MAX_RSA_BITS // 8

_ALGORITHMS: Final[dict[KeyType, Algorithm]] = {
    "rsa": RSA,
    "ed25519": ED25519,
    "secp256k1": SECP256K1,
    "ecdsa": ECDSA,
}
_UNUSABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, CryptoError)


class PublicKey:
    """A peer's public key. Source: libp2p/specs, peer-ids.

    Attributes:
        key_type: ``"ed25519"``, ``"secp256k1"``, ``"rsa"`` (2,048 to 8,192 bit) or ``"ecdsa"``
            (P-256).
        peer_id: the id that the key gives its owner.
    """

    __slots__ = ("_protobuf", "_verify", "key_type", "peer_id")

    def __init__(self, key_type: KeyType, data: bytes) -> None:
        """Take a key in its type's encoding; raises `MalformedMessage` unless it is one."""
        try:
            self._verify = _ALGORITHMS[key_type].verifier(data)
        except _UNUSABLE as error:
            raise MalformedMessage(f"not a usable {key_type} key: {error}") from None
        self._protobuf = _encode_key(key_type, data)
        self.key_type = key_type
        self.peer_id: PeerId = PeerId.from_public_key(self._protobuf)

    @classmethod
    def from_protobuf(cls, blob: bytes) -> PublicKey:
        """Read the form that peers exchange; raises `MalformedMessage` on anything unusable."""
        if len(blob) > MAX_PUBLIC_KEY_BYTES:
            raise MalformedMessage(f"a public key of {len(blob)} bytes, over the bound")
        return cls(*_decode_key(blob))

    def to_protobuf(self) -> bytes:
        """The form that peers exchange and that peer ids are made of."""
        return self._protobuf

    def verify(self, data: bytes, signature: bytes) -> bool:
        """Whether the owner of this key signed the data."""
        if len(signature) > MAX_SIGNATURE_BYTES:
            return False
        try:
            self._verify(data, signature)
        except (InvalidSignature, CryptoError, ValueError):
            return False
        return True

    def __repr__(self) -> str:
        return f"PublicKey({self.key_type}, {self.peer_id})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return self._protobuf == other._protobuf

    def __hash__(self) -> int:
        return hash(self._protobuf)


class KeyPair:
    """A private key with its public half: what makes a node the owner of its peer id.

    Attributes:
        public_key: the public half.
    """

    __slots__ = ("_private", "public_key")

    def __init__(self, key_type: KeyType, private: PrivateHalf) -> None:
        """Used by the class methods."""
        self._private = private
        self.public_key: PublicKey = PublicKey(key_type, private.public_data)

    @classmethod
    def generate(cls, key_type: KeyType = "ed25519") -> KeyPair:
        """A new key pair from the operating system's chance; RSA takes up to a second."""
        return cls(key_type, _ALGORITHMS[key_type].generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """The Ed25519 key pair of 32 secret bytes: the same seed gives the same peer id."""
        return cls("ed25519", ED25519.private(seed))

    @classmethod
    def from_protobuf(cls, blob: bytes) -> KeyPair:
        """Read the form that libp2p implementations keep on disk; raises `IdentityError`."""
        if len(blob) > MAX_PRIVATE_KEY_BYTES:
            raise IdentityError(f"a private key of {len(blob)} bytes, over the bound")
        try:
            key_type, data = _decode_key(blob)
            return cls(key_type, _ALGORITHMS[key_type].private(data))
        except (*_UNUSABLE, MalformedMessage) as error:
            raise IdentityError(f"not a private key in libp2p's form: {error}") from None

    def to_protobuf(self) -> bytes:
        """The form that libp2p implementations keep on disk. Whoever has it is this peer."""
        return _encode_key(self.public_key.key_type, self._private.private_data)

    @property
    def peer_id(self) -> PeerId:
        """The id that the key gives its owner."""
        return self.public_key.peer_id

    def sign(self, data: bytes) -> bytes:
        """A signature that `PublicKey.verify` accepts for the same data."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"KeyPair({self.public_key.key_type}, {self.peer_id})"


def _encode_key(key_type: KeyType, data: bytes) -> bytes:
    return bytes((0x08, KEY_TYPES.index(key_type), 0x12)) + encode_varint(len(data)) + data


def _decode_key(blob: bytes) -> tuple[KeyType, bytes]:
    # Only the one deterministic encoding that peer ids need, and py-libp2p's envelopes, which
    # leave out the type of RSA keys because it is 0.
    typed = blob[:1] == b"\x08"
    number, head = (blob[1:2], blob[2:3]) if typed else (b"\x00", blob[:1])
    length = decode_varint(blob, 3 if typed else 1) if head == b"\x12" else None
    if length is None or length[1] + length[0] != len(blob):
        raise MalformedMessage("not a key in libp2p's protobuf form")
    if number[0] >= len(KEY_TYPES):
        raise MalformedMessage(f"keys of type {number[0]} are unknown")
    return KEY_TYPES[number[0]], bytes(blob[length[1] :])
