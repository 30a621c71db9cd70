"""The file protocol on the wire, sans-IO: one stream fetches one file, or its rest.

::

    receiver → sender   SHA-256 (32 bytes), offset (u64)
    sender → receiver   status (u8), size of the whole file (u64), content from the offset
    receiver → sender   receipt (u8: 1 verified, 0 refused), end
    sender → receiver   end

Numbers are big-endian. The content and all that follows come only with `Status.OK`; after any
other status the sender ends at once. The receipt tells the sender that the file has arrived
whole, and the sender's end tells the receiver that the receipt has.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from attrs import field, frozen

from peerloom._errors import MalformedMessage

PROTOCOL_ID: Final = "/peerloom/file/1.0.0"

_HASH_BYTES: Final = 32
_NUMBER_BYTES: Final = 8
_REQUEST_BYTES: Final = _HASH_BYTES + _NUMBER_BYTES
_RESPONSE_BYTES: Final = 1 + _NUMBER_BYTES


class Status(IntEnum):
    """What the sender says to a request."""

    OK = 0
    NOT_FOUND = 1
    CHANGED = 2
    BAD_OFFSET = 3


@frozen
class Request:
    """Which file is wanted, and from where on.

    Attributes:
        content_hash: SHA-256 of the whole file.
        offset: bytes that the receiver has already.
    """

    content_hash: bytes = field(repr=bytes.hex)
    offset: int

    def encode(self) -> bytes:
        """The request in wire form."""
        return self.content_hash + self.offset.to_bytes(_NUMBER_BYTES)


@frozen
class Response:
    """What the sender answers.

    Attributes:
        status: whether the content follows, or why not.
        size: bytes of the whole file; 0 unless the status is OK.
    """

    status: Status
    size: int = 0

    def encode(self) -> bytes:
        """The response in wire form, without the content."""
        return bytes((self.status,)) + self.size.to_bytes(_NUMBER_BYTES)


class SenderState:
    """What a sender has heard on one stream.

    Attributes:
        request: what is wanted, or None until it is known.
        receipt: whether the receiver has verified the file, or None until it says.
    """

    def __init__(self) -> None:
        self.request: Request | None = None
        self.receipt: bool | None = None
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrived; raises `MalformedMessage` when too many come."""
        self._buffer += data
        if self.request is None and len(self._buffer) >= _REQUEST_BYTES:
            self.request = _decode_request(self._buffer[:_REQUEST_BYTES])
            del self._buffer[:_REQUEST_BYTES]
        if self.request is not None and self._buffer:
            self._take_receipt()

    def _take_receipt(self) -> None:
        if self.receipt is not None or len(self._buffer) > 1 or self._buffer[0] > 1:
            raise MalformedMessage("neither a request for a file nor a receipt")
        self.receipt = bool(self._buffer[0])
        self._buffer.clear()


class ReceiverState:
    """What a receiver has heard on one stream.

    Attributes:
        response: what the sender answered, or None until it is known.
        missing_bytes: content that has not arrived yet; once there is a response.
    """

    def __init__(self, request: Request) -> None:
        """Begin with the request that was sent."""
        self.response: Response | None = None
        self.missing_bytes = 0
        self._request = request
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they arrived; gives those that are content.

        Raises `MalformedMessage` when more content comes than the sender announced.
        """
        content = data if self.response is not None else self._head(data)
        if len(content) > self.missing_bytes:
            raise MalformedMessage("more content than announced")
        self.missing_bytes -= len(content)
        return content

    def _head(self, data: bytes) -> bytes:
        self._buffer += data
        if len(self._buffer) < _RESPONSE_BYTES:
            return b""
        self.response = _decode_response(self._buffer[:_RESPONSE_BYTES])
        if self.response.status is Status.OK:
            self.missing_bytes = self._missing(self.response.size)
        return bytes(self._buffer[_RESPONSE_BYTES:])

    def _missing(self, size: int) -> int:
        if size < self._request.offset:
            raise MalformedMessage("the file is shorter than what is here already")
        return size - self._request.offset


def encode_receipt(*, verified: bool) -> bytes:
    """The receipt in wire form."""
    return bytes((verified,))


def _decode_request(data: bytearray) -> Request:
    return Request(bytes(data[:_HASH_BYTES]), int.from_bytes(data[_HASH_BYTES:]))


def _decode_response(data: bytearray) -> Response:
    try:
        return Response(Status(data[0]), int.from_bytes(data[1:]))
    except ValueError:
        raise MalformedMessage(f"{data[0]} is no status of a file transfer") from None
