"""Protobuf's wire format, as much of it as gossipsub's messages need, with a bound on the work.

Source: protobuf.dev, encoding. A generated class decodes everything before anybody can count it,
and re-encodes a message that must be forwarded byte by byte as its author signed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT: Final = 0
FIXED_64: Final = 1
BYTES: Final = 2
FIXED_32: Final = 5

_MAX_VARINT_BYTES: Final = 10  # 64 bits
_FIRST_KEY: Final = 1 << 3


class TooManyFields(MalformedMessage):
    """A message within a frame, or the frame, has more fields than anybody needs."""


class FieldReader:
    """Walks over the fields of messages inside one frame, and stops when they are too many.

    Attributes:
        fields_left: how many more there may be.
    """

    def __init__(self, frame: bytes, max_fields: int) -> None:
        """Read from `frame` at most `max_fields` fields, those of nested messages included."""
        self._frame = frame
        self.fields_left = max_fields

    def fields(
        self, start: int, end: int, most: int | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """Each field's key (number << 3 | wire type) and where its content starts and ends.

        Raises `MalformedMessage` where there is no field, and `TooManyFields` at one more than
        `most`, nested ones included, or than the frame may have.
        """
        frame, at = self._frame, start
        least = 0 if most is None else max(0, self.fields_left - most)
        while at < end:
            self.fields_left -= 1
            if self.fields_left < least:
                raise TooManyFields("more protobuf fields than anybody needs")
            key, at = frame[at], at + 1
            if key & 0x87 == BYTES and at < end and (size := frame[at]) < 0x80:
                at, stop = at + 1, at + 1 + size  # nearly all are like that
            else:
                key, at, stop = self._field(key, at, end)
            if stop > end or key < _FIRST_KEY:
                raise MalformedMessage("a protobuf field is cut short, or has no number")
            yield key, at, stop
            at = stop

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number that stands there, and where it ends; raises `MalformedMessage`."""
        value = 0
        for index, byte in enumerate(self._frame[at : min(end, at + _MAX_VARINT_BYTES)]):
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
        raise MalformedMessage("a protobuf number is cut short or too long")

    def _field(self, key: int, at: int, end: int) -> tuple[int, int, int]:
        if key > 0x7F:
            key, at = self.varint(at - 1, end)
        kind = key & 7
        if kind == BYTES:
            size, at = self.varint(at, end)
            return key, at, at + size
        if kind == VARINT:
            return key, at, self.varint(at, end)[1]
        if kind in {FIXED_64, FIXED_32}:
            return key, at, at + (8 if kind == FIXED_64 else 4)
        raise MalformedMessage(f"protobuf's wire type {kind} is not used any more")


def key_of(number: int, kind: int) -> int:
    """What stands in front of a field's content."""
    return number << 3 | kind


def encode_varint(value: int) -> bytes:
    """A number of up to 64 bits."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def bytes_field(number: int, content: bytes) -> bytes:
    """A field, numbered 1 to 15, that holds bytes, text or a message."""
    size = len(content)
    head = bytes((number << 3 | BYTES, size)) if size < 0x80 else _long_head(number, size)
    return head + content


def varint_field(number: int, value: int) -> bytes:
    """A field, numbered 1 to 15, that holds a number or a truth."""
    return bytes((number << 3 | VARINT,)) + encode_varint(value)


def _long_head(number: int, size: int) -> bytes:
    return bytes((number << 3 | BYTES,)) + encode_varint(size)
