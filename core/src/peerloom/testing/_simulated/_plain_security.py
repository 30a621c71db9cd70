"""Plain: a security channel without security, for simulated nodes only.

Each side says its role, its public key and its muxers, and what follows goes over as it is. It
takes as many round trips as TLS and Noise do, and nearly no time. Nothing but a simulated network
offers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._errors import HandshakeFailed, MalformedMessage, WrongPeerId
from peerloom._libp2p import PublicKey
from peerloom._links import Role, Secured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peerloom._libp2p import KeyPair
    from peerloom._links import Buffer
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime

MAX_HELLO_BYTES: Final = 4096  # the largest key has 1,280

_LENGTH_BYTES: Final = 2


class Plain:
    """The security protocol of simulated nodes."""

    protocol_id = "/peerloom-simulated-plain/1"

    def __init__(self, identity: KeyPair, _: Runtime, muxers: Sequence[str]) -> None:
        self.muxers = tuple(muxers)
        self._key = identity.public_key.to_protobuf()

    def hello(self, role: Role) -> bytes:
        """What a side says of itself."""
        muxers = ",".join(self.muxers).encode()
        return _part(role.value.encode()) + _part(self._key) + _part(muxers)

    def handshake(self, role: Role, expected: PeerId | None) -> PlainHandshake:
        """A new handshake; `expected` is the peer that must answer, or None for anybody."""
        return PlainHandshake(self, role, expected)


class PlainHandshake:
    """One side of one handshake: the dialler speaks first.

    Attributes:
        secured: the outcome, once there is one.
        alert: always empty.
    """

    def __init__(self, plain: Plain, role: Role, expected: PeerId | None) -> None:
        self.secured: Secured | None = None
        self.alert = b""
        self._plain = plain
        self._role = role
        self._expected = expected
        self._spoken = False
        self._buffer = b""

    def step(self, data: bytes) -> bytes:
        """Feed received bytes; gives the bytes to send. Raises `HandshakeFailed`."""
        self._buffer += data
        found = _parts(self._buffer)
        if found is not None:
            self.secured = self._judge(*found)
        if self._spoken or (self._role is Role.LISTENER and self.secured is None):
            return b""
        self._spoken = True
        return self._plain.hello(self._role)

    def _judge(self, role: bytes, key_bytes: bytes, muxer_names: bytes, rest: bytes) -> Secured:
        if role == self._role.value.encode():  # a simultaneous open, where neither listens
            raise HandshakeFailed(f"plain: both sides are {self._role.value}")
        try:
            key = PublicKey.from_protobuf(key_bytes)
        except MalformedMessage as error:
            raise HandshakeFailed(f"plain: {error}") from None
        if self._expected is not None and key.peer_id != self._expected:
            raise WrongPeerId(self._expected, key.peer_id)
        muxer = self._common_muxer(muxer_names.decode().split(","))
        return Secured(key.peer_id, key, PlainRecords(), muxer, [rest] if rest else [])

    def _common_muxer(self, theirs: list[str]) -> str | None:
        ours = list(self._plain.muxers)
        wanted, known = (ours, theirs) if self._role is Role.DIALER else (theirs, ours)
        return next((muxer for muxer in wanted if muxer in known), None)


class PlainRecords:
    """No records at all: bytes go over as they are."""

    __slots__ = ()

    def seal(self, pieces: Sequence[Buffer]) -> Buffer:
        """The data itself."""
        return b"".join(pieces)

    def open(self, data: bytes) -> Iterator[bytes]:
        """The data itself."""
        yield data

    def finish(self) -> bytes:
        """There is no goodbye."""
        return b""

    def end_of_input(self) -> None:
        """Every end is clean."""


def _part(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def _parts(data: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """A hello's three parts and what follows it, or None while it is not whole."""
    parts = []
    for _ in range(3):
        end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        if end > MAX_HELLO_BYTES:
            raise HandshakeFailed(f"plain: a hello of {end} bytes")
        if len(data) < _LENGTH_BYTES or len(data) < end:
            return None
        parts.append(data[_LENGTH_BYTES:end])
        data = data[end:]
    return parts[0], parts[1], parts[2], data
