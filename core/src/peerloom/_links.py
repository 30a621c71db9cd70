"""What transports, security channels and muxers are to the swarm: the seams between layers.

A transport yields either a `RawLink`, which the swarm upgrades (security, then muxer), or a
`MuxedLink` that needs no upgrade (QUIC; accepted as a `PendingLink`). Security and muxers are
sans-IO state machines; the swarm moves the bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from anyio.abc import ByteStream
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from multiaddr import Multiaddr

    from ._libp2p import PublicKey
    from ._peer_id import PeerId

# What `receive_now` gives at most: beyond what it is for, it waits where no window bounds it.
READ_NOW_BYTES: Final = 1024
# What one system call may bring: each makes the kernel answer the sender.
MOST_READ_BYTES: Final = 2 * 1024 * 1024

Buffer = bytes | bytearray | memoryview


class Role(Enum):
    """Which side of a link this node is."""

    DIALER = "dialer"
    LISTENER = "listener"


@frozen
class LinkLimits:
    """What a limited link, such as a relayed circuit, may carry.

    Attributes:
        data_bytes: bytes in each direction, or None for no bound.
        duration_seconds: seconds until the link is cut, or None for no bound.
    """

    data_bytes: int | None = None
    duration_seconds: float | None = None


@frozen
class DialOptions:
    """How a transport shall dial.

    Attributes:
        role: the role in the handshake; hole punching dials as listener.
        reuse_port: leave from a port that this node listens on, where the transport can.
        expected: the peer that must answer, or None for anybody; a transport that does its own
            handshake refuses any other within it.
    """

    role: Role = Role.DIALER
    reuse_port: bool = True
    expected: PeerId | None = None


class EagerPipe(ByteStream):
    """A byte pipe that may take bytes without waiting; only while no `send` is under way."""

    @abstractmethod
    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Take what it can take at once; how many bytes that is, none if it is broken."""


class LedPipe(EagerPipe):
    """One that a second task may read.

    The first waits in `receive`, the reader. The other may go before it with `lead`: it is told
    in the reader's stead when something comes, once, and takes that with `receive_now`.
    """

    @property
    @abstractmethod
    def may_be_led(self) -> bool:
        """Whether nothing is there and little is to be expected: bulk is the reader's."""

    @abstractmethod
    def receive_now(self, max_bytes: int) -> bytes:
        """What is there, or nothing; that the pipe has ended is left to the next `receive`."""

    @abstractmethod
    def lead(self) -> Awaitable[None]:
        """Wait until something may be there, or for `interrupt`; one task at a time.

        Raises `anyio.ClosedResourceError`.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """Wake who leads; let `receive` give nothing, once, before what else there is to give."""


@frozen
class RawLink:
    """A byte pipe to somebody not yet known: to be secured and muxed by the swarm.

    Attributes:
        stream: the pipe itself.
        local_address: this side's address.
        remote_address: the other side's address, without a peer id.
        securities: security protocol ids that may be negotiated on it, or None for all.
        limits: what it may carry, or None.
        reuses_port: whether it was dialled from a port that this node listens on.
    """

    stream: ByteStream
    local_address: Multiaddr
    remote_address: Multiaddr
    securities: tuple[str, ...] | None = None
    limits: LinkLimits | None = None
    reuses_port: bool = False


class MuxedStream(ByteStream):
    """One stream of a muxed link: an anyio byte stream with reset.

    `receive` raises `anyio.EndOfStream` after the other side's clean end and `StreamReset` after
    a reset. `send` returns once the data is taken over within the receiver's window, so a slow
    reader holds its sender. `send_eof` closes the writing half. `aclose` closes both halves:
    cleanly if the other side had ended too or nothing unread is left, else by reset.
    """

    @abstractmethod
    def reset(self) -> None:
        """End both halves at once; what is under way is lost, and both sides know it."""

    def send_now(self, data: bytes) -> bool:  # noqa: ARG002
        """Take all of it over if that needs no waiting, else nothing; whether it did."""
        return False

    def receive_now(self) -> bytes:
        """Up to `READ_NOW_BYTES` of what has arrived, if that needs no waiting, else nothing."""
        return b""


class MuxedLink(ABC):
    """A secured connection to a known peer that carries many streams.

    Attributes:
        peer: who is on the other side, proven.
        public_key: its key.
        security: protocol id of the security channel, or None where the transport has its own.
        muxer: protocol id of the muxer, or None where the transport has its own.
    """

    peer: PeerId
    public_key: PublicKey
    security: str | None
    muxer: str | None
    local_address: Multiaddr
    remote_address: Multiaddr
    limits: LinkLimits | None

    @abstractmethod
    async def run(self) -> None:
        """Move the bytes until the link ends; returns after a clean end, else raises the cause.

        Cancelling it ends the link abruptly. Called once, by the swarm.
        """

    @abstractmethod
    async def open_stream(self) -> MuxedStream:
        """Open a stream; raises `LinkClosed`, or `StreamLimitReached` past the bound."""

    def open_stream_now(self) -> MuxedStream | None:
        """Open a stream if that needs no waiting, else none; raises what `open_stream` does."""
        return None

    @abstractmethod
    async def accept_stream(self) -> MuxedStream:
        """The next stream that the other side opens; raises `LinkClosed` at the end."""

    @abstractmethod
    async def aclose(self) -> None:
        """Say goodbye and end the link; streams that still run are reset. `run` then returns."""

    @property
    @abstractmethod
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip time, or None."""


class PendingLink(ABC):
    """A connection that another begins and whose handshake is the transport's own (QUIC).

    Attributes:
        local_address: this side's address.
        remote_address: the other side's address.
    """

    local_address: Multiaddr
    remote_address: Multiaddr

    @abstractmethod
    async def complete(self) -> MuxedLink:
        """Wait for the handshake; raises `HandshakeFailed`, `LinkClosed`. The caller bounds it."""

    @abstractmethod
    async def aclose(self) -> None:
        """Refuse it."""


IncomingLink = RawLink | PendingLink | MuxedLink
"""What a `Listener` accepts."""


class Listener(ABC):
    """A socket (or what stands for one) that accepts links."""

    @property
    @abstractmethod
    def addresses(self) -> Sequence[Multiaddr]:
        """The bound addresses, wildcards expanded to the interfaces' addresses."""

    @abstractmethod
    async def accept(self) -> IncomingLink:
        """The next link; raises `anyio.ClosedResourceError` once the listener is closed."""


class Transport(Protocol):
    """A way to reach other nodes."""

    def handles(self, address: Multiaddr) -> bool:
        """Whether this transport can dial or listen on such an address."""
        ...

    async def dial(self, address: Multiaddr, options: DialOptions) -> RawLink | MuxedLink:
        """Connect; raises OSError or a PeerloomError. The caller bounds the time."""
        ...

    def listen(self, address: Multiaddr) -> AbstractAsyncContextManager[Listener]:
        """Listen while the context lasts; raises `ListenFailed` on entering."""
        ...


class RecordLayer(Protocol):
    """The encrypted records of a finished handshake, sans-IO."""

    def seal(self, pieces: Sequence[Buffer]) -> Buffer:
        """Encrypt pieces one behind the other; gives the bytes to send, any number of records."""
        ...

    def open(self, data: bytes) -> Iterator[bytes]:
        """Decrypt what arrived, piece by piece, keeping a started record for the next call.

        A piece takes a bounded time, however small the records are; some may be empty. Take all
        before the next call. Raises `RecordError` if a record was tampered with, and
        `anyio.EndOfStream` when the other side's clean end stands alone; data before it is given
        first.
        """
        ...

    def finish(self) -> bytes:
        """The bytes that say goodbye (TLS close_notify), empty where there are none."""
        ...

    def end_of_input(self) -> None:
        """The pipe has ended: raises `RecordError` unless that was clean."""
        ...


@frozen
class Secured:
    """The outcome of a security handshake.

    Attributes:
        peer: who the other side is, proven.
        public_key: its key.
        records: the record layer.
        muxer: the muxer agreed on early (TLS ALPN, Noise extension), or None.
        early_data: decrypted data that arrived right behind the handshake.
    """

    peer: PeerId
    public_key: PublicKey
    records: RecordLayer
    muxer: str | None
    early_data: list[bytes]


class Handshake(Protocol):
    """A security handshake, sans-IO.

    Call `step(b"")` first, send what it gives, feed what arrives, until `secured` is set; what
    the last step gave must still be sent. `step` raises `HandshakeFailed` (`WrongPeerId`), after
    which `alert` holds bytes to send before the pipe is closed.
    """

    secured: Secured | None
    alert: bytes

    def step(self, data: bytes) -> bytes:
        """Feed received bytes; gives the bytes to send."""
        ...


class SecurityProtocol(Protocol):
    """TLS or Noise: makes handshakes for one node."""

    protocol_id: str

    def handshake(self, role: Role, expected: PeerId | None) -> Handshake:
        """A new handshake; `expected` is the peer that must answer, or None for anybody."""
        ...
