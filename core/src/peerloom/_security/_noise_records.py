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
    from collections.abc import Iterator, Sequence

    from peerloom._links import Buffer

MAX_NONCE: Final = 2**64 - 1  # Noise reserves it: no record may carry it

_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 2
# Of 65,519 that fit. OpenSSL authenticates eight blocks of 16 bytes at a time (AVX-512 IFMA) if
# their number is a multiple of that, else four: the largest record took a third longer.
_MAX_PLAINTEXT_BYTES: Final = 511 * 8 * 16
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

    def open(self, data: bytes) -> Iterator[bytes]:
        """Decrypt what arrived, record by record, keeping a started one for the next call.

        Raises `RecordError` when a record was tampered with; nothing can be opened after that.
        """
        view = memoryview(data)
        offset = 0
        if self._partial:
            offset = self._complete(view)
            if not self._missing():
                record, self._partial = self._partial, bytearray()
                yield self._decrypt(memoryview(record)[_HEADER_BYTES:])
        end = len(view)
        while end - offset >= _HEADER_BYTES:
            body = offset + _HEADER_BYTES
            stop = body + (view[offset] << 8 | view[offset + 1])
            if stop > end:
                break
            yield self._decrypt(view[body:stop])
            offset = stop
        self._partial += view[offset:]

    def finish(self) -> bytes:
        """Nothing: Noise says no goodbye."""
        return b""

    def end_of_input(self) -> None:
        """The pipe has ended: raises `RecordError` inside a record."""
        if self._partial:
            raise RecordError(f"Noise: cut short {len(self._partial)} bytes into a record")

    def _complete(self, view: memoryview) -> int:
        """Give the started record what it misses; the offset behind that."""
        offset = 0
        while (missing := self._missing()) and offset < len(view):
            taken = view[offset : offset + missing]
            self._partial += taken
            offset += len(taken)
        return offset

    def _missing(self) -> int:
        if len(self._partial) < _HEADER_BYTES:
            return _HEADER_BYTES - len(self._partial)
        return _HEADER_BYTES + int.from_bytes(self._partial[:2], "big") - len(self._partial)

    def _decrypt(self, record: memoryview) -> bytes:
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
        return plaintext


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
