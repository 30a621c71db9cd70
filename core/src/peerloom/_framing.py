"""Unsigned varints, and messages that carry their length as one in front.

The framing of multistream-select and of nearly every libp2p protocol that exchanges protobuf
messages. Source: multiformats/unsigned-varint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from ._errors import MalformedMessage

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream

MAX_VARINT_BYTES: Final = 9  # multiformats/unsigned-varint: 63 bits
MAX_PROTOBUF_VARINT_BYTES: Final = 10  # protobuf: 64 bits
_READ_BYTES: Final = 65536  # one receive; what is read beyond a message waits for the next call

Buffer = bytes | bytearray | memoryview


def encode_varint(value: int) -> bytes:
    """The unsigned varint of a number; raises ValueError unless it fits into 64 bits."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{value} is not an unsigned 64-bit number")
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode_varint(
    data: Buffer, offset: int = 0, *, max_bytes: int = MAX_VARINT_BYTES
) -> tuple[int, int] | None:
    """Read an unsigned varint; gives it and the offset behind it, or None if more is needed.

    Raises `MalformedMessage` if it is longer than `max_bytes`, does not fit into 64 bits, or is
    not the shortest form of its number.
    """
    value = 0
    for index, byte in enumerate(data[offset : offset + max_bytes]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            _check_varint(value, last_byte=byte, size=index + 1)
            return value, offset + index + 1
    if len(data) - offset >= max_bytes:
        raise MalformedMessage(f"a varint is longer than {max_bytes} bytes")
    return None


def _check_varint(value: int, *, last_byte: int, size: int) -> None:
    if last_byte == 0 and size > 1:
        raise MalformedMessage("a varint is not in its shortest form")
    if value >= 1 << 64:
        raise MalformedMessage("a varint does not fit into 64 bits")


def encode_message(payload: Buffer) -> bytes:
    """The payload with its length in front."""
    return encode_varint(len(payload)) + payload


class MessageDecoder:
    """Length-prefixed messages out of bytes that arrive in any pieces; sans-IO.

    An over-long message is refused as soon as its length is known, before it is buffered.
    """

    def __init__(self, max_bytes: int) -> None:
        """Accept messages of up to `max_bytes` bytes."""
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: Buffer) -> None:
        """Take bytes as they arrived; call `next_message` until it gives None."""
        self._buffer += data

    def next_message(self) -> bytes | None:
        """The next whole message, or None; raises `MalformedMessage` if it is too long."""
        prefix = decode_varint(self._buffer)
        if prefix is None:
            return None
        size, start = prefix
        if size > self._max_bytes:
            raise MalformedMessage(f"a message of {size} bytes; at most {self._max_bytes} may come")
        if len(self._buffer) < start + size:
            return None
        message = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return message

    @property
    def leftover(self) -> bytes:
        """What has arrived behind the last message given."""
        return bytes(self._buffer)


class MessageReader:
    """Reads length-prefixed messages from a stream and keeps what it has read beyond one."""

    def __init__(self, stream: ByteReceiveStream, max_bytes: int) -> None:
        """Accept messages of up to `max_bytes` bytes."""
        self._stream = stream
        self._decoder = MessageDecoder(max_bytes)

    async def read(self) -> bytes:
        """The next message.

        Raises `anyio.EndOfStream` at a clean end between messages, `MalformedMessage` at an end
        inside one or when one is too long. The caller bounds the time.
        """
        while (message := self._decoder.next_message()) is None:
            await self._receive()
        return message

    @property
    def leftover(self) -> bytes:
        """What has been read behind the last message given."""
        return self._decoder.leftover

    async def _receive(self) -> None:
        try:
            self._decoder.feed(await self._stream.receive(_READ_BYTES))
        except anyio.EndOfStream:
            if self._decoder.leftover:
                raise MalformedMessage("the stream ended inside a message") from None
            raise


async def read_length_prefixed(stream: ByteReceiveStream, max_bytes: int) -> bytes:
    """Read the only message of a stream; what follows it is dropped.

    Raises as `MessageReader.read` does. Where more messages follow, keep a `MessageReader`.
    """
    return await MessageReader(stream, max_bytes).read()
