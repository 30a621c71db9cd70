"""multistream-select 1.0: agree on a protocol, sans-IO. Source: multiformats/multistream-select."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from peerloom._errors import MalformedMessage, NegotiationFailed, ProtocolNotSupported
from peerloom._framing import MessageDecoder, encode_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEADER: Final = "/multistream/1.0.0"
NOT_AVAILABLE: Final = "na"
MAX_MESSAGE_BYTES: Final = 1024  # as go-multistream; ours are below 100
MAX_PROPOSALS: Final = 64  # a peer that has not named a protocol by then never will


class Negotiation(ABC):
    """Lines in, lines out; `leftover` holds what arrived behind the negotiation."""

    def __init__(self) -> None:
        self._decoder = MessageDecoder(MAX_MESSAGE_BYTES)
        self._greeted = False
        self.protocol: str | None = None

    @property
    def leftover(self) -> bytes:
        """Bytes of the protocol itself that arrived with the last line."""
        return self._decoder.leftover

    def receive(self, data: bytes) -> bytes:
        """Feed what arrived; gives what to send. Done when `protocol` is set."""
        self._decoder.feed(data)
        if not self._greeted:
            self._check_greeting(self._decoder.leftover)
        answer = b""
        try:
            while self.protocol is None and (message := self._decoder.next_message()) is not None:
                answer += self._line_received(_text(message))
        except MalformedMessage as error:
            raise NegotiationFailed(str(error)) from error
        return answer

    def _check_greeting(self, start: bytes) -> None:
        # At once: what speaks HTTP or TLS here would wait for an answer until it is cut off.
        greeting = _line(HEADER)
        if start[: len(greeting)] != greeting[: len(start)]:
            raise NegotiationFailed(f"expected {HEADER}, not {start[:64]!r}")

    def _line_received(self, line: str) -> bytes:
        if self._greeted:
            return self._proposal_received(line)
        self._greeted = True  # it was compared byte by byte
        return self._greeting_received()

    @abstractmethod
    def start(self) -> bytes:
        """What to send first; may be empty."""

    @abstractmethod
    def _greeting_received(self) -> bytes: ...

    @abstractmethod
    def _proposal_received(self, line: str) -> bytes: ...


class Proposer(Negotiation):
    """The side that asks for one of its protocols, most wanted first."""

    def __init__(self, protocols: Sequence[str]) -> None:
        super().__init__()
        self._protocols = tuple(protocols)
        self._proposed = 0

    def start(self) -> bytes:
        """What to send first."""
        return _line(HEADER) + _line(self._protocols[0])

    def _greeting_received(self) -> bytes:
        return b""

    def _proposal_received(self, line: str) -> bytes:
        if line == self._protocols[self._proposed]:
            self.protocol = line
            return b""
        if line != NOT_AVAILABLE:
            raise NegotiationFailed(f"expected an answer, not {line[:64]!r}")
        self._proposed += 1
        if self._proposed == len(self._protocols):
            raise ProtocolNotSupported(None, self._protocols)
        return _line(self._protocols[self._proposed])


class Responder(Negotiation):
    """The side that is asked; `speaks` says which protocols it accepts.

    It returns the greeting rather than beginning with it, so that greeting and answer are one
    write where the other side proposes at once.
    """

    def __init__(self, speaks: Callable[[str], bool]) -> None:
        super().__init__()
        self._speaks = speaks
        self._refused = 0

    def start(self) -> bytes:
        """What to send first: nothing."""
        return b""

    def _greeting_received(self) -> bytes:
        return _line(HEADER)

    def _proposal_received(self, line: str) -> bytes:
        if self._speaks(line):
            self.protocol = line
            return _line(line)
        self._refused += 1
        if self._refused == MAX_PROPOSALS:
            raise NegotiationFailed(f"{MAX_PROPOSALS} protocols proposed, none of them spoken here")
        return _line(NOT_AVAILABLE)


def _line(text: str) -> bytes:
    return encode_message(text.encode() + b"\n")


def _text(message: bytes) -> str:
    if not message.endswith(b"\n"):
        raise NegotiationFailed("a line without its newline")
    try:
        return message[:-1].decode()
    except UnicodeDecodeError as error:
        raise NegotiationFailed("a protocol name that is not UTF-8") from error
