"""EventLog: all that happens on a simulated network, as lines that say nothing of this process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import attrs
from multiaddr import Multiaddr

from peerloom._endpoint import ConnectionInfo
from peerloom._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom._events import Event

_SHOWN_BYTES: Final = 16
_PLAIN: Final = (Multiaddr, Enum, bytes, str, int, float, bool, type(None))


class EventLog:
    """What happened, in order: one line for each event of each node, and for what was done to it.

    A line is the virtual time in seconds, the node's name (``-`` for the network), and the event
    with its fields. Peer ids stand as names, sets are sorted, exceptions are their type and text,
    so that runs of one seed write the same bytes. ``bytes(log)`` are all lines, ``log.digest()``
    their SHA-256; it iterates over its lines.

    Attributes:
        names: what is written in place of each peer id.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._authors: list[str] = []
        self.names: dict[PeerId, str] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def __bytes__(self) -> bytes:
        return str(self).encode()

    def digest(self) -> str:
        """The SHA-256 of its bytes, in hexadecimal digits."""
        return hashlib.sha256(bytes(self)).hexdigest()

    def last(self, count: int, before: int | None = None) -> str:
        """The last lines, or the last of so many first ones, as one text."""
        return "\n".join(self._lines[:before][-count:])

    def of(self, name: str) -> list[str]:
        """The lines of one node."""
        authored = zip(self._lines, self._authors, strict=True)
        return [line for line, author in authored if author == name]

    def name(self, peer: PeerId, name: str) -> None:
        """Write that name in place of the peer id."""
        self.names[peer] = name

    def write(self, time: float, name: str, text: str) -> None:
        """Add a line."""
        self._lines.append(f"{time:.6f} {name} {text}")
        self._authors.append(name)

    def event(self, time: float, name: str, event: Event) -> None:
        """Add an event of a node."""
        kind = type(event)
        fields = attrs.fields(kind) if attrs.has(kind) else ()
        parts = [f"{it.name}={self._text(getattr(event, it.name))}" for it in fields]
        self.write(time, name, " ".join((kind.__name__, *parts)))

    def _text(self, value: Any) -> str:
        match value:
            case PeerId():
                return self.names.get(value) or str(value)
            case ConnectionInfo():
                return f"#{value.id}"
            case BaseException():
                return f"{type(value).__name__}({value})"
            case _ if isinstance(value, _PLAIN):
                return _plain(value)
            case _:
                return self._composed(value)

    def _composed(self, value: Any) -> str:
        match value:
            case Mapping():
                parts = [f"{self._text(key)}: {self._text(it)}" for key, it in value.items()]
                return "{" + ", ".join(parts) + "}"
            case AbstractSet():
                return "{" + ", ".join(sorted(map(self._text, value))) + "}"
            case list() | tuple():
                return "[" + ", ".join(map(self._text, value)) + "]"
            case _ if attrs.has(type(value)):
                parts = [self._text(getattr(value, it.name)) for it in attrs.fields(type(value))]
                return f"{type(value).__name__}({', '.join(parts)})"
            case _:
                return type(value).__name__  # how it shows itself may be where it lies in memory


def _plain(value: Any) -> str:
    match value:
        case Multiaddr():
            return str(value)
        case Enum():
            return value.name
        case bytes() if len(value) > _SHOWN_BYTES:
            return f"{value[:_SHOWN_BYTES].hex()}…{hashlib.sha256(value).hexdigest()[:16]}"
        case bytes():
            return value.hex()
        case _:
            return repr(value)
