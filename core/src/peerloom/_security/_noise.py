"""Noise as libp2p uses it (libp2p/specs, noise): the XX handshake, sans-IO.

The handshake runs on noiseprotocol's state machine; the payload in it and the records after it are
ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from google.protobuf.message import DecodeError
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseValueError

from peerloom._errors import HandshakeFailed, MalformedMessage, RecordError, WrongPeerId
from peerloom._libp2p import PublicKey, noise_payload_message
from peerloom._links import Role, Secured

from ._noise_records import NoiseRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom._libp2p import KeyPair
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime

MAX_MESSAGE_BYTES: Final = 8192  # an RSA identity of 8,192 bit makes one of about 2,300

_PROTOCOL_NAME: Final = b"Noise_XX_25519_ChaChaPoly_SHA256"
_PREFIX: Final = b"noise-libp2p-static-key:"
_KEY_BYTES: Final = 32


class Noise:
    """The security protocol ``/noise`` of one node."""

    protocol_id = "/noise"

    def __init__(self, identity: KeyPair, runtime: Runtime, muxers: Sequence[str]) -> None:
        """Make the node's static key; `muxers` are offered early, in order of preference."""
        self.muxers = tuple(muxers)
        self._static = runtime.secret_bytes(_KEY_BYTES)
        public = X25519PrivateKey.from_private_bytes(self._static).public_key().public_bytes_raw()
        payload = noise_payload_message()(
            identity_key=identity.public_key.to_protobuf(),
            identity_sig=identity.sign(_PREFIX + public),
        )
        payload.extensions.stream_muxers.extend(self.muxers)
        self.payload = payload.SerializeToString()

    def handshake(self, role: Role, expected: PeerId | None) -> NoiseHandshake:
        """A new handshake; `expected` is the peer that must answer, or None for anybody."""
        return NoiseHandshake(self, role, expected)

    def connection(self, role: Role) -> Any:
        """A started `NoiseConnection` (which has no types) in its role."""
        connection = NoiseConnection.from_name(_PROTOCOL_NAME)
        if role is Role.DIALER:
            connection.set_as_initiator()
        else:
            connection.set_as_responder()
        connection.set_keypair_from_private_bytes(Keypair.STATIC, self._static)
        connection.start_handshake()
        return connection


class NoiseHandshake:
    """One side of one handshake.

    Attributes:
        secured: the outcome, once there is one.
        alert: always empty; Noise has no alerts.
    """

    def __init__(self, noise: Noise, role: Role, expected: PeerId | None) -> None:
        """Used by `Noise.handshake`."""
        self.secured: Secured | None = None
        self.alert = b""
        self._noise = noise
        self._role = role
        self._expected = expected
        self._connection = noise.connection(role)
        self._state = self._connection.noise_protocol.handshake_state
        self._started = False
        self._buffer = bytearray()

    def step(self, data: bytes) -> bytes:
        """Feed received bytes; gives the bytes to send. Raises `HandshakeFailed`."""
        self._buffer += data
        out = b""
        if self._role is Role.DIALER and not self._started:
            self._started = True
            out = self._write(b"")
        while self.secured is None and (message := self._next_message()) is not None:
            out += self._on_message(message)
        return out

    def _next_message(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        end = 2 + int.from_bytes(self._buffer[:2], "big")
        if end > MAX_MESSAGE_BYTES:
            raise HandshakeFailed(f"Noise: a handshake message of {end - 2} bytes")
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[2:end])
        del self._buffer[:end]
        return message

    def _on_message(self, message: bytes) -> bytes:
        try:
            return self._answer(message)
        except InvalidTag:
            raise HandshakeFailed("Noise: a handshake message cannot be decrypted") from None
        except (NoiseValueError, ValueError) as error:  # no key, or one of low order
            raise HandshakeFailed(f"Noise: an unusable handshake message: {error}") from None

    def _answer(self, message: bytes) -> bytes:
        payload = bytes(self._connection.read_message(message))
        if self._role is Role.DIALER:
            key, muxer = self._judge(payload)
            answer = self._write(self._noise.payload)
            self.secured = self._finish(key, muxer)
            return answer
        if self._connection.handshake_finished:
            self.secured = self._finish(*self._judge(payload))
            return b""
        return self._write(self._noise.payload)

    def _write(self, payload: bytes) -> bytes:
        message = bytes(self._connection.write_message(payload))
        return len(message).to_bytes(2, "big") + message

    def _judge(self, payload: bytes) -> tuple[PublicKey, str | None]:
        """Whose static key the other side has shown, and the muxer to use."""
        try:
            message = noise_payload_message().FromString(payload)
            key = PublicKey.from_protobuf(message.identity_key)
        except (DecodeError, MalformedMessage) as error:
            raise HandshakeFailed(f"Noise: no usable identity in the handshake: {error}") from None
        if not key.verify(_PREFIX + self._state.rs.public_bytes, message.identity_sig):
            raise HandshakeFailed(f"Noise: the static key is not signed by {key.peer_id}")
        if self._expected is not None and key.peer_id != self._expected:
            raise WrongPeerId(self._expected, key.peer_id)
        return key, self._common_muxer(tuple(message.extensions.stream_muxers))

    def _common_muxer(self, theirs: tuple[str, ...]) -> str | None:
        ours = self._noise.muxers
        if not theirs or not ours:
            return None
        wanted, known = (ours, theirs) if self._role is Role.DIALER else (theirs, ours)
        for muxer in wanted:
            if muxer in known:
                return muxer
        raise HandshakeFailed(f"Noise: no common muxer among {', '.join(theirs)}")

    def _finish(self, key: PublicKey, muxer: str | None) -> Secured:
        protocol = self._connection.noise_protocol
        records = NoiseRecords(protocol.cipher_state_encrypt.k, protocol.cipher_state_decrypt.k)
        try:
            early_data = [*records.open(bytes(self._buffer))]
        except RecordError as error:
            raise HandshakeFailed(f"Noise: behind the handshake: {error}") from None
        return Secured(key.peer_id, key, records, muxer, early_data)
