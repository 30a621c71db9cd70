"""The encrypted records of Noise after its handshake (libp2p/specs, noise, wire format).

noiseprotocol's cipher states would do the same, but take neither views nor buffers.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from peerloom._errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom._links import Buffer

MAX_NONCE: Final = 2**64 - 1  # Noise reserves it: no record may carry it

_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 2
_MAX_PLAINTEXT_BYTES: Final = 65_535 - _TAG_BYTES
_nonce: Final = Struct("<4xQ").pack


class NoiseRecords:
    """The record layer under two keys, one for each direction."""

    def __init__(self, sending_key: bytes, receiving_key: bytes) -> None:
        """Start both directions at nonce 0."""
        self._sender = ChaCha20Poly1305(sending_key)
        self._receiver = ChaCha20Poly1305(receiving_key)
        self._sent = 0
        self._received = 0
        self._partial = bytearray()
        self._broken: str | None = None

    def seal(self, pieces: Sequence[Buffer]) -> bytearray:
        """Encrypt into as few records as there can be, all in one buffer."""
        view = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        size = len(view)
        records = -(-size // _MAX_PLAINTEXT_BYTES)
        if self._sent + records > MAX_NONCE:
            raise RecordError("Noise: this connection has used up its nonces")
        sealed = bytearray(size + records * (_HEADER_BYTES + _TAG_BYTES))
        target, position = memoryview(sealed), 0
        for start in range(0, size, _MAX_PLAINTEXT_BYTES):
            part = view[start : start + _MAX_PLAINTEXT_BYTES]
            length = len(part) + _TAG_BYTES
            body = position + _HEADER_BYTES
            target[position:body] = length.to_bytes(2, "big")
            position = body + length
            _encrypt(self._sender, _nonce(self._sent), part, target[body:position])
            self._sent += 1
        return sealed

    def open(self, data: bytes) -> list[bytes]:
        """Decrypt what arrived, keeping a started record for the next call.

        Raises `RecordError` when a record was tampered with; nothing can be opened after that.
        """
        plaintexts: list[bytes] = []
        view = memoryview(data)
        offset = self._complete(view, plaintexts) if self._partial else 0
        end = len(view)
        while end - offset >= _HEADER_BYTES:
            body = offset + _HEADER_BYTES
            stop = body + (view[offset] << 8 | view[offset + 1])
            if stop > end:
                break
            self._decrypt(view[body:stop], plaintexts)
            offset = stop
        self._partial += view[offset:]
        return plaintexts

    def finish(self) -> bytes:
        """Nothing: Noise says no goodbye."""
        return b""

    def end_of_input(self) -> None:
        """The pipe has ended: raises `RecordError` inside a record."""
        if self._partial:
            raise RecordError(f"Noise: cut short {len(self._partial)} bytes into a record")

    def _complete(self, view: memoryview, plaintexts: list[bytes]) -> int:
        """Give the started record what it misses; the offset behind it."""
        offset = 0
        while (missing := self._missing()) and offset < len(view):
            taken = view[offset : offset + missing]
            self._partial += taken
            offset += len(taken)
        if not missing:
            record, self._partial = self._partial, bytearray()
            self._decrypt(memoryview(record)[_HEADER_BYTES:], plaintexts)
        return offset

    def _missing(self) -> int:
        if len(self._partial) < _HEADER_BYTES:
            return _HEADER_BYTES - len(self._partial)
        return _HEADER_BYTES + int.from_bytes(self._partial[:2], "big") - len(self._partial)

    def _decrypt(self, record: memoryview, plaintexts: list[bytes]) -> None:
        if self._broken is None and self._received == MAX_NONCE:
            self._broken = "Noise: this connection has used up its nonces"
        if self._broken is not None:
            raise RecordError(self._broken)
        try:
            plaintext = self._receiver.decrypt(_nonce(self._received), record, None)
        except InvalidTag:
            self._broken = f"Noise: record {self._received} was tampered with"
            raise RecordError(self._broken) from None
        self._received += 1
        if plaintext:
            plaintexts.append(plaintext)


def encrypt_in_place(
    cipher: ChaCha20Poly1305, nonce: bytes, plaintext: memoryview, target: memoryview
) -> None:
    """Encrypt straight into the buffer that will be sent."""
    cipher.encrypt_into(nonce, plaintext, None, target)


def encrypt_and_copy(
    cipher: ChaCha20Poly1305, nonce: bytes, plaintext: memoryview, target: memoryview
) -> None:
    """The same where ``cryptography`` is too old to have ``encrypt_into``."""
    target[:] = cipher.encrypt(nonce, plaintext, None)


_encrypt: Final = (
    encrypt_in_place if hasattr(ChaCha20Poly1305, "encrypt_into") else encrypt_and_copy
)
