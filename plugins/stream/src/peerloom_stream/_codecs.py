"""How a message stands in a frame."""

from __future__ import annotations

import json
from typing import Final, Protocol

from attrs import frozen

from peerloom import MalformedMessage

SLOW_CODEC_BYTES: Final = 256 * 1024  # about 5 ms of JSON; more is coded in a worker thread
MAX_FREE_FORM_BYTES: Final = 1024 * 1024  # JSON that needs the parser, which cannot be interrupted

_CHUNK_BYTES: Final = 64 * 1024  # between two of these another thread may run
_NUMBERS: Final = tuple(b"%d" % number for number in range(256))
_BYTE_OF: Final = {
    written: number for number, digits in enumerate(_NUMBERS) for written in (digits, b" " + digits)
}


@frozen
class Message:
    """What one frame carries.

    Attributes:
        data: the bytes.
    """

    data: bytes


class Codec(Protocol):
    """Turns messages into the payload of a frame and back."""

    def encode(self, message: Message) -> bytes:
        """The payload."""
        ...

    def decode(self, payload: bytes) -> Message:
        """The message; raises `MalformedMessage` when the payload holds none."""
        ...


class RawCodec:
    """The message's bytes are the payload."""

    def encode(self, message: Message) -> bytes:
        """The payload."""
        return message.data

    def decode(self, payload: bytes) -> Message:
        """The message."""
        return Message(payload)


class MessageJsonCodec:
    """The payload is JSON: ``{"data":[72,101,108,108,111]}``.

    A byte takes up to four: use it with peers that want it, and nowhere else.
    """

    def encode(self, message: Message) -> bytes:
        """The payload, in the compact form."""
        data = message.data
        pieces = (
            b",".join([_NUMBERS[byte] for byte in data[start : start + _CHUNK_BYTES]])
            for start in range(0, len(data), _CHUNK_BYTES)
        )
        return b'{"data":[%b]}' % b",".join(pieces)

    def decode(self, payload: bytes) -> Message:
        """The message; raises `MalformedMessage` when the payload is not such JSON."""
        numbers = _plain_numbers(payload)
        if numbers is not None:
            try:
                return Message(_bytes_of(numbers))
            except KeyError:
                pass  # written in another way, or wrong: the parser knows
        return Message(_parse(payload))


def _plain_numbers(payload: bytes) -> bytes | None:
    """What stands between the brackets in the form that nearly everybody writes."""
    for start in (b'{"data":[', b'{"data": ['):
        if payload.startswith(start) and payload.endswith(b"]}"):
            return payload[len(start) : -2]
    return None


def _bytes_of(numbers: bytes) -> bytes:
    """The bytes that are listed in decimal; raises KeyError on anything else."""
    data = bytearray()
    start = 0
    while start < len(numbers):
        end = numbers.find(b",", start + _CHUNK_BYTES)
        end = len(numbers) if end < 0 else end
        data += bytes(map(_BYTE_OF.__getitem__, numbers[start:end].split(b",")))
        start = end + 1
    if numbers.endswith(b","):
        raise KeyError(b"")
    return bytes(data)


def _parse(payload: bytes) -> bytes:
    if len(payload) > MAX_FREE_FORM_BYTES:
        raise MalformedMessage('a long message must be compact JSON: {"data":[1,2,3]}')
    try:
        numbers = json.loads(payload)["data"]
        if not isinstance(numbers, list) or not set(map(type, numbers)) <= {int}:
            raise TypeError("not a list of numbers")
        return bytes(numbers)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedMessage(
            f'a frame that is not JSON like {{"data":[1,2,3]}}: {error}'
        ) from None
