"""The few packets of QUIC that an endpoint reads and writes without a connection; pure.

Source: RFC 9000 sections 17.2 and 17.3, RFC 8999 (what all versions share), RFC 9001 section 5.8.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ._quic_engine import CONNECTION_ID_BYTES, QUIC_V1

MIN_INITIAL_BYTES: Final = 1200  # RFC 9000 section 14.1
MAX_ID_BYTES: Final = 20

_LONG: Final = 0x80
_FIXED: Final = 0x40
_TYPE: Final = 0x30
_INITIAL: Final = 0x00
_RETRY: Final = 0x30
_RETRY_KEY: Final = AESGCM(bytes.fromhex("be0c690b9f66575a1d766b54e368c84e"))
_RETRY_NONCE: Final = bytes.fromhex("461599d35d632bf2239825bb")
_MIN_ID_OF_INITIAL: Final = 8  # RFC 9000 section 7.2


@frozen
class LongHeader:
    """What stands at the head of a datagram that may begin a connection."""

    version: int
    destination: bytes
    source: bytes
    initial: bool
    token: bytes


def destination_of(data: bytes) -> bytes | None:
    """The connection id that a datagram is for, or None if it is not QUIC."""
    if len(data) < 2 + CONNECTION_ID_BYTES:
        return None
    if data[0] & _LONG:
        return _id_at(data, 5)
    return data[1 : 1 + CONNECTION_ID_BYTES]


def long_header(data: bytes) -> LongHeader | None:
    """The long header that a datagram begins with, or None."""
    if len(data) < 7 or not data[0] & _LONG:
        return None
    destination = _id_at(data, 5)
    if destination is None:
        return None
    at = 6 + len(destination)
    source = _id_at(data, at)
    if source is None:
        return None
    version = int.from_bytes(data[1:5], "big")
    initial = version == QUIC_V1 and data[0] & (_FIXED | _TYPE) == _FIXED | _INITIAL
    initial = initial and len(destination) >= _MIN_ID_OF_INITIAL
    token = _token_at(data, at + 1 + len(source)) if initial else b""
    return None if token is None else LongHeader(version, destination, source, initial, token)


def version_negotiation(header: LongHeader, unused: int) -> bytes:
    """The answer to a version that we do not speak; `unused` fills what must mean nothing."""
    return (
        bytes([_LONG | _FIXED | unused & 0x3F])
        + bytes(4)
        + _with_length(header.source)
        + _with_length(header.destination)
        + QUIC_V1.to_bytes(4, "big")
    )


def retry(header: LongHeader, source: bytes, token: bytes, unused: int) -> bytes:
    """The answer that makes somebody prove its address."""
    packet = (
        bytes([_LONG | _FIXED | _RETRY | unused & 0x0F])
        + QUIC_V1.to_bytes(4, "big")
        + _with_length(header.source)
        + _with_length(source)
        + token
    )
    return packet + _RETRY_KEY.encrypt(_RETRY_NONCE, b"", _with_length(header.destination) + packet)


def _id_at(data: bytes, at: int) -> bytes | None:
    if at >= len(data):
        return None
    end = at + 1 + data[at]
    if data[at] > MAX_ID_BYTES or end > len(data):
        return None
    return data[at + 1 : end]


def _token_at(data: bytes, at: int) -> bytes | None:
    if at >= len(data):
        return None
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        return None
    length = int.from_bytes(data[at : at + size], "big") & (1 << 8 * size - 2) - 1
    token = data[at + size : at + size + length]
    return token if len(token) == length else None


def _with_length(connection_id: bytes) -> bytes:
    return bytes([len(connection_id)]) + connection_id
