"""What the tests of both security channels share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from peerloom._libp2p import KeyPair, noise_payload_message
from peerloom._links import Role
from peerloom._runtime import SystemRuntime
from peerloom._security import Noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom._links import Handshake, RecordLayer, Secured, SecurityProtocol
    from peerloom._peer_id import PeerId

ALICE = KeyPair.from_seed(b"a" * 32)
BOB = KeyPair.from_seed(b"b" * 32)
MALLORY = KeyPair.from_seed(b"m" * 32)
YAMUX = "/yamux/1.0.0"
RUNTIME = SystemRuntime()


def with_payload(change: Callable[[Any], None], noise: Noise | None = None) -> Noise:
    """A node of Mallory whose handshake payload was tampered with before it was encrypted."""
    liar = noise or Noise(MALLORY, RUNTIME, [YAMUX])
    message = noise_payload_message().FromString(liar.payload)
    change(message)
    liar.payload = message.SerializeToString()
    return liar


LIES: dict[str, Callable[[Any], None]] = {
    "a wrong signature": lambda m: setattr(m, "identity_sig", bytes(64)),
    "no signature": lambda m: m.ClearField("identity_sig"),
    "no key": lambda m: m.ClearField("identity_key"),
    "somebody else's key": lambda m: setattr(m, "identity_key", BOB.public_key.to_protobuf()),
    "somebody else's signature": lambda m: setattr(
        m, "identity_sig", BOB.sign(b"noise-libp2p-static-key:" + bytes(32))
    ),
    "somebody else's whole payload": lambda m: m.ParseFromString(
        Noise(BOB, RUNTIME, [YAMUX]).payload
    ),
    "an empty payload": lambda m: m.Clear(),
    "a key of garbage": lambda m: setattr(m, "identity_key", b"garbage"),
}


class Pair(NamedTuple):
    dialer: Secured
    listener: Secured


def shake(
    dialing: SecurityProtocol,
    listening: SecurityProtocol,
    *,
    expected: PeerId | None = None,
    chunk: int = 65_536,
) -> Pair:
    """A whole handshake, its bytes delivered in pieces of `chunk`."""
    dialer = dialing.handshake(Role.DIALER, expected)
    listener = listening.handshake(Role.LISTENER, None)
    drive(dialer, listener, chunk=chunk)
    assert dialer.secured is not None
    assert listener.secured is not None
    return Pair(dialer.secured, listener.secured)


def drive(dialer: Handshake, listener: Handshake, *, chunk: int = 65_536) -> None:
    """Carry bytes until neither side has more to say; sides that are done get records."""
    to_listener, to_dialer = dialer.step(b""), listener.step(b"")
    while to_listener or to_dialer:
        to_dialer += deliver(listener, to_listener, chunk)
        to_listener = deliver(dialer, to_dialer, chunk)
        to_dialer = b""


def deliver(side: Handshake, data: bytes, chunk: int = 65_536) -> bytes:
    """Give a side the bytes; what it answers."""
    answer = b""
    for start in range(0, len(data), chunk):
        piece = data[start : start + chunk]
        if side.secured is None:
            answer += side.step(piece)
        else:
            assert opened(side.secured.records, piece) == b""  # TLS's session tickets
    return answer


def seal(side: Secured, data: bytes) -> bytes:
    """What a side sends for this data."""
    return bytes(side.records.seal([data]))


def opened(records: RecordLayer, data: bytes) -> bytes:
    """What the data says."""
    return b"".join(records.open(data))


def other(role: Role) -> Role:
    """The opposite role."""
    return Role.LISTENER if role is Role.DIALER else Role.DIALER


def open_in_pieces(records: RecordLayer, data: bytes, sizes: list[int]) -> bytes:
    """Open data cut into pieces of these sizes, the rest in one."""
    plaintext, position = b"", 0
    for size in [*sizes, len(data)]:
        plaintext += opened(records, data[position : position + size])
        position += size
    return plaintext
