"""Ticket: where a file is offered, and which file it is, in one string that a person passes on.

The text is ``peerloom1`` and the base32 of: length of all that follows the prefix (u16), peer id,
addresses, SHA-256, size and name of the file, CRC-32. One base32 character is a burst of five
bits, and CRC-32 finds every burst of up to 32: no single mistyped character goes unnoticed.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from typing import TYPE_CHECKING, Final
from zlib import crc32

from attrs import field, frozen

from ._addresses import address_from_wire
from ._errors import MalformedMessage, TicketError
from ._framing import decode_varint, encode_varint
from ._peer_id import PeerId

if TYPE_CHECKING:
    from multiaddr import Multiaddr

PREFIX: Final = "peerloom1"
MAX_ADDRESSES: Final = 16  # every address makes the ticket longer; nobody has more that matter
MAX_ADDRESS_BYTES: Final = 255
MAX_NAME_BYTES: Final = 255  # what the usual file systems allow
MAX_FILE_BYTES: Final = (1 << 63) - 1  # what a varint and a file offset hold

_HASH_BYTES: Final = 32
_LENGTH_BYTES: Final = 2
_CHECKSUM_BYTES: Final = 4
_MAX_CHARACTERS: Final = 8192  # a ticket with all its bounds reached has some 7,100
_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_COPY_AGAIN: Final = "Copy it again, whole, as `peerloom send` prints it."


@frozen
class Ticket:
    """An offered file; ``str(ticket)`` is what a person passes on.

    Raises ValueError when a field passes its bound.

    Attributes:
        peer: who offers the file.
        addresses: where that peer listens, without its peer id, best first.
        content_hash: SHA-256 of the content.
        size: bytes of the content.
        name: the file's name as the sender calls it; not to be trusted as a path.
    """

    peer: PeerId
    addresses: tuple[Multiaddr, ...]
    content_hash: bytes = field(repr=bytes.hex)
    size: int
    name: str

    def __attrs_post_init__(self) -> None:
        if len(self.addresses) > MAX_ADDRESSES:
            raise ValueError(f"a ticket holds at most {MAX_ADDRESSES} addresses")
        if any(len(address.to_bytes()) > MAX_ADDRESS_BYTES for address in self.addresses):
            raise ValueError(f"an address in a ticket has at most {MAX_ADDRESS_BYTES} bytes")
        if len(self.content_hash) != _HASH_BYTES:
            raise ValueError("a content hash is a SHA-256")
        if not 0 <= self.size <= MAX_FILE_BYTES:
            raise ValueError(f"{self.size} is not the size of a file")
        if not 0 < len(self.name.encode()) <= MAX_NAME_BYTES:
            raise ValueError(f"a name in a ticket has 1 to {MAX_NAME_BYTES} bytes")

    @classmethod
    def from_string(cls, text: str) -> Ticket:
        """Read a ticket, in lower or upper case, line breaks allowed; raises `TicketError`."""
        return _parse(_checked_payload(_body(text)))

    def __str__(self) -> str:
        payload = _payload(self)
        total = _LENGTH_BYTES + len(payload) + _CHECKSUM_BYTES
        head = total.to_bytes(_LENGTH_BYTES) + payload
        return PREFIX + _to_base32(head + _checksum(head))


def _payload(ticket: Ticket) -> bytes:
    fields = [_sized(bytes(ticket.peer)), encode_varint(len(ticket.addresses))]
    fields += [_sized(address.to_bytes()) for address in ticket.addresses]
    fields += [ticket.content_hash, encode_varint(ticket.size), _sized(ticket.name.encode())]
    return b"".join(fields)


def _sized(data: bytes) -> bytes:
    return encode_varint(len(data)) + data


def _checksum(head: bytes) -> bytes:
    return crc32(PREFIX.encode() + head).to_bytes(_CHECKSUM_BYTES)


def _to_base32(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()


def _body(text: str) -> str:
    compact = "".join(text.split())
    if len(compact) > _MAX_CHARACTERS:
        raise TicketError(f"this is too long for a ticket. {_COPY_AGAIN}")
    if compact.isupper():
        compact = compact.lower()
    if compact.startswith(PREFIX):
        return compact.removeprefix(PREFIX)
    if re.match(r"peerloom\d", compact):
        raise TicketError("this ticket is of another version of Peerloom; upgrade the older side")
    raise TicketError(f"this is not a ticket: tickets begin with {PREFIX!r}. {_COPY_AGAIN}")


def _checked_payload(body: str) -> bytes:
    _check_characters(body)
    _check_length(body)
    data = b32decode(body.upper() + "=" * (-len(body) % 8))
    head, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(head) or _to_base32(data) != body:
        raise TicketError(f"this ticket is mistyped: its checksum does not match. {_COPY_AGAIN}")
    return head[_LENGTH_BYTES:]


def _check_characters(body: str) -> None:
    for index, character in enumerate(body, start=len(PREFIX) + 1):
        if character not in _ALPHABET:
            raise TicketError(
                f"this ticket is mistyped: {character!r} (character {index}) stands in no ticket, "
                f"which has a to z and 2 to 7, all in lower or all in upper case. {_COPY_AGAIN}"
            )


def _check_length(body: str) -> None:
    expected = _characters(_announced_length(body))
    if len(body) < expected:
        raise TicketError(
            f"this ticket is cut short: it has {len(PREFIX) + len(body)} of "
            f"{len(PREFIX) + expected} characters. {_COPY_AGAIN}"
        )
    if len(body) > expected:
        raise TicketError(
            f"this ticket goes on for {len(body) - expected} characters behind its end. "
            f"{_COPY_AGAIN}"
        )


def _announced_length(body: str) -> int:
    shortest = _LENGTH_BYTES + _CHECKSUM_BYTES
    if len(body) < _characters(shortest):
        return shortest
    return max(int.from_bytes(b32decode(body[:8].upper())[:_LENGTH_BYTES]), shortest)


def _characters(byte_count: int) -> int:
    return -(-byte_count * 8 // 5)


def _parse(payload: bytes) -> Ticket:
    try:
        reader = _Reader(payload)
        peer = PeerId(reader.sized())
        addresses = tuple(address_from_wire(reader.sized()) for _ in range(reader.count()))
        content_hash, size = reader.take(_HASH_BYTES), reader.number()
        name = reader.sized().decode()
        reader.finish()
        return Ticket(peer, addresses, content_hash, size, name)
    except (ValueError, MalformedMessage) as error:
        raise TicketError(
            f"this ticket was made wrongly ({error}); ask for one from another version of Peerloom"
        ) from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._offset : self._offset + count]
        if len(taken) < count:
            raise ValueError("it ends too early")
        self._offset += count
        return taken

    def number(self) -> int:
        read = decode_varint(self._data, self._offset)
        if read is None:
            raise ValueError("it ends too early")
        value, self._offset = read
        return value

    def count(self) -> int:
        if (count := self.number()) > MAX_ADDRESSES:
            raise ValueError(f"it claims {count} addresses")
        return count

    def sized(self) -> bytes:
        return self.take(self.number())

    def finish(self) -> None:
        if self._offset != len(self._data):
            raise ValueError("something follows its end")
