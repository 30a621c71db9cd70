"""What the QUIC transport asks of an engine; qh3 and aioquic are two.

An engine is one connection without I/O or clock: datagrams and the time go in, datagrams and
events come out. It raises `EngineFailed` where a library raised something unforeseen, so that one
connection's defect ends that connection only.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom._errors import HandshakeFailed
    from peerloom._libp2p import PublicKey
    from peerloom._peer_id import PeerId

ALPN: Final = "libp2p"  # libp2p/specs, tls
QUIC_V1: Final = 0x00000001  # RFC 9000
CONNECTION_ID_BYTES: Final = 8
MAX_DATAGRAM_BYTES: Final = 1452  # fits Ethernet under IPv6, hence everywhere it matters
# What an engine gives at a time, a millisecond of work: where a path holds megabytes, others would
# wait for all of them.
MOST_DATAGRAMS: Final = 512
# RFC 9002 asks for 333 ms before anything is known, which makes a lost first datagram cost that;
# the engines agree better with 100 ms, and the first answer corrects it.
INITIAL_RTT_SECONDS: Final = 0.1
CRYPTO_ERROR: Final = 0x100  # RFC 9001 section 4.8: the TLS alert is added

SocketAddress = tuple[Any, ...]
P = ParamSpec("P")
R = TypeVar("R")


class EngineFailed(Exception):
    """The engine's library raised on one connection, which must end."""


def engine_call(method: Callable[P, R]) -> Callable[P, R]:
    """Turn whatever an engine's library raises into `EngineFailed`."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Exception as error:  # isolation: a hostile datagram ends no other connection
            raise EngineFailed(f"{type(error).__name__}: {error}") from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Rust, which names it nowhere else
                raise
            raise EngineFailed(str(error)) from error

    return call


@frozen
class HandshakeDone:
    """The other side has proven who it is."""


@frozen
class StreamData:
    """The next bytes of a stream, and whether they are its last."""

    stream_id: int
    data: bytes
    end: bool


@frozen
class StreamStopped:
    """The other side reset its half of a stream, or wants to read no more of ours (`ours`)."""

    stream_id: int
    ours: bool


@frozen
class ConnectionIdChanged:
    """Datagrams for this connection may carry another id from now on, or no longer do."""

    connection_id: bytes
    valid: bool


EngineEvent = HandshakeDone | StreamData | StreamStopped | ConnectionIdChanged


@frozen
class Ending:
    """Why a connection ends.

    Attributes:
        code: the error code.
        frame_type: the frame that caused it, or None if an application closed the connection.
        reason: the other side's words, or the engine's.
        by_peer: whether the other side ended it.
    """

    code: int
    frame_type: int | None
    reason: str
    by_peer: bool

    @property
    def clean(self) -> bool:
        """Whether an application closed the connection, meaning nothing by it."""
        return self.code == 0


class QuicEngine(Protocol):
    """One connection.

    Attributes:
        connection_id: the id that this side chose for itself.
        holds_streams: whether `consumed` holds each stream's sender by itself; an engine that
            cannot has `hold` for all streams of the connection together.
    """

    connection_id: bytes
    holds_streams: bool

    @property
    def public_key(self) -> PublicKey | None:
        """The other side's proven key, once the handshake is done."""
        ...

    @property
    def failure(self) -> HandshakeFailed | None:
        """Why this side refused the other in the handshake, or None."""
        ...

    def receive(self, data: bytes, segment: int, remote: SocketAddress, now: float) -> None:
        """Take a datagram, or several of `segment` bytes each that arrived as one buffer."""
        ...

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, SocketAddress]]:
        """What is to be sent now; with `MOST_DATAGRAMS`, the most, there may be others."""
        ...

    def timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        ...

    def handle_timer(self, now: float) -> None:
        """The time has come."""
        ...

    def next_event(self) -> EngineEvent | None:
        """The next thing that happened."""
        ...

    def open_stream(self) -> int | None:
        """A new bidirectional stream's id, or None while the other side's limit is reached."""
        ...

    def send(self, stream_id: int, data: bytes | memoryview, *, end: bool = False) -> bool:
        """Take bytes over, and the end of this half; False if the other side has stopped it."""
        ...

    def unsent(self, stream_id: int | None = None) -> int:
        """Bytes taken over and not yet sent: of a stream, or of all."""
        ...

    def reset(self, stream_id: int) -> None:
        """End this side's half at once."""
        ...

    def stop(self, stream_id: int) -> None:
        """Ask the other side to end its half."""
        ...

    def consumed(self, stream_id: int, nbytes: int) -> None:
        """So many bytes of a stream have been read."""
        ...

    def hold(self, *, on: bool) -> None:
        """Take nothing out of the library's queue, whose bound then holds all senders."""
        ...

    def let_pass(self) -> None:
        """Empty that queue once, and go on holding."""
        ...

    @property
    def held_back(self) -> int:
        """How many times something was put into that queue while it was held."""
        ...

    def ping(self) -> None:
        """Send something that must be answered."""
        ...

    def close(self, code: int, reason: str, *, transport: bool = False) -> None:
        """End the connection; a code of the transport's own says so."""
        ...

    @property
    def flushed(self) -> bool:
        """Whether all that was sent has arrived."""
        ...

    @property
    def ending(self) -> Ending | None:
        """Why the connection ends, as soon as that is known."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be done for this connection."""
        ...

    def forget(self) -> None:
        """Free what it holds: it is asked for nothing more than how it ended."""
        ...

    @property
    def idle_timeout_seconds(self) -> float:
        """The lower idle timeout of the two sides."""
        ...

    @property
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip, or None."""
        ...


class QuicEngines(Protocol):
    """Makes engines for one node.

    Attributes:
        name: the library and its version.
        takes_buffers: whether it is fast enough to be given many datagrams in one buffer.
    """

    name: str
    takes_buffers: bool

    def dial(self, remote: SocketAddress, expected: PeerId | None, now: float) -> QuicEngine:
        """A connection to somebody; `expected` is the peer that must answer."""
        ...

    def accept(self, original_id: bytes, retry_id: bytes | None) -> QuicEngine:
        """A connection that another began with a datagram to `original_id`.

        `retry_id` is the id that it was told to use in a Retry packet, whose token it has shown.
        """
        ...
