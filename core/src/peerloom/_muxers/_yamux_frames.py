"""Yamux frames: the header's codec, and a decoder that copies no payload without need.

Format: https://github.com/hashicorp/yamux/blob/master/spec.md, taken over by libp2p/specs.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from peerloom._errors import MuxerViolation

VERSION: Final = 0

DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 0x1
ACK: Final = 0x2
FIN: Final = 0x4
RST: Final = 0x8

GO_AWAY_NORMAL: Final = 0
GO_AWAY_PROTOCOL_ERROR: Final = 1
GO_AWAY_INTERNAL_ERROR: Final = 2

HEADER_BYTES: Final = 12
INITIAL_WINDOW_BYTES: Final = 256 * 1024
MAX_WINDOW: Final = 2**32 - 1

_HEADER = Struct("!BBHII")


# The head of a frame:
#   kind: DATA, WINDOW_UPDATE, PING or GO_AWAY.
#   flags: any of SYN, ACK, FIN, RST; other bits mean nothing.
#   stream id: 0 for the session.
#   length: bytes that follow (DATA), credit, ping value or reason, by kind.
Header = tuple[int, int, int, int]


def encode_header(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """The twelve bytes of a header."""
    return _HEADER.pack(VERSION, kind, flags, stream_id, length)


class FrameDecoder:
    """Cuts received bytes into headers and pieces of payload, wherever the reads ended.

    Feed it once, then take until `has_more` is false. A header that announces payload is
    followed by `take_payload` until `body_left` is 0.
    """

    __slots__ = ("_data", "_offset", "_partial", "body_left")

    def __init__(self) -> None:
        self._data = b""
        self._offset = 0
        self._partial = b""
        self.body_left = 0

    @property
    def has_more(self) -> bool:
        """Whether fed bytes have not been taken yet."""
        return self._offset < len(self._data)

    @property
    def inside_frame(self) -> bool:
        """Whether the bytes so far end inside a frame."""
        return bool(self._partial or self.body_left)

    def feed(self, data: bytes) -> None:
        """Take over the next bytes; the ones before must have been taken."""
        if self._partial:
            data = self._partial + data
            self._partial = b""
        self._data = data
        self._offset = 0

    def take_whole(self, data: bytes) -> bool:
        """Whether the next bytes, instead of being fed, are a piece of the payload and no more."""
        if 0 < len(data) <= self.body_left:
            self.body_left -= len(data)
            return True
        return False

    def take_header(self) -> Header | None:
        """The next header, or None until more bytes come.

        Raises `MuxerViolation` for another version or an unknown type.
        """
        start = self._offset
        end = start + HEADER_BYTES
        if end > len(self._data):
            self._partial = self._data[start:]
            self._data = b""
            self._offset = 0
            return None
        version, kind, flags, stream_id, length = _HEADER.unpack_from(self._data, start)
        if version != VERSION:
            raise MuxerViolation(f"yamux version {version} instead of {VERSION}")
        if kind > GO_AWAY:
            raise MuxerViolation(f"unknown yamux frame type {kind}")
        self._offset = end
        if kind == DATA:
            self.body_left = length
        return kind, flags, stream_id, length

    def take_payload(self) -> bytes | memoryview:
        """The next piece of the payload, empty until more bytes come.

        A piece never keeps more than twice its own size alive: small ones are copied out of the
        buffer in which they came.
        """
        data, start = self._data, self._offset
        size = min(self.body_left, len(data) - start)
        end = self._offset = start + size
        self.body_left -= size
        if size == len(data):
            return data
        if 2 * size >= len(data):
            return memoryview(data)[start:end]
        return data[start:end]
