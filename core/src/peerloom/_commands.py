"""Command, and the commands that core answers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from attrs import field, frozen
from attrs.validators import ge, le
from multiaddr import Multiaddr

from ._endpoint import ConnectionInfo
from ._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

    from ._dispatch import CommandHandler
    from ._peer_id import PeerId

MAX_PERF_BYTES: Final = (1 << 64) - 1  # libp2p/specs, perf: a 64-bit number asks for them

R_co = TypeVar("R_co", covariant=True)


class Command(Generic[R_co]):
    """Base of all commands; ``Command[R]`` answers with an ``R``.

    Attributes:
        timeout_seconds: how long `NetworkClient.call` waits before `CommandTimedOut`.
    """

    __slots__ = ()

    timeout_seconds: ClassVar[float] = 30.0

    @classmethod
    def handled_by(cls, handler: Callable[[Self], Awaitable[R_co] | R_co]) -> CommandHandler:
        """A record for `peerloom_command_handlers`: that function answers it.

        An async one runs in a task. A plain one answers at once, in the loop's turn, or gives
        something to be awaited in a task.
        """
        from ._dispatch import CommandHandler  # noqa: PLC0415 - the table imports this module

        return CommandHandler(cls, handler)


class DialCondition(Enum):
    """When a dial shall really be made; otherwise it joins or gives what is there."""

    ALWAYS = "always"
    DISCONNECTED = "disconnected"
    NOT_DIALING = "not dialing"
    DISCONNECTED_AND_NOT_DIALING = "disconnected and not dialing"


@frozen
class ListenOn(Command[int]):
    """Listen on an address; answers with the listener's number once it is bound.

    Raises `ListenFailed`. The bound addresses come as `ListeningOn` events.

    Attributes:
        address: where; port 0 takes a free one.
    """

    address: Multiaddr


@frozen
class StopListening(Command[bool]):
    """Close a listener; answers whether there was one of that number.

    Attributes:
        listener_id: its number, which `ListenOn` answered.
    """

    listener_id: int


@frozen
class Dial(Command[ConnectionInfo]):
    """Connect to a peer.

    Raises `DialFailed`.

    Attributes:
        peer: who is wanted; None takes whoever answers at the addresses.
        addresses: where to try, beside what is known of the peer already.
        condition: when to dial although a connection or a dial exists.
    """

    timeout_seconds: ClassVar[float] = 60.0

    peer: PeerId | None
    addresses: tuple[Multiaddr, ...] = ()
    condition: DialCondition = DialCondition.DISCONNECTED_AND_NOT_DIALING


@frozen
class Disconnect(Command[int]):
    """Close every connection to a peer; answers how many there were.

    Attributes:
        peer: to whom.
    """

    peer: PeerId


@frozen
class OpenStream(Command[Stream]):
    """Open a stream, dialling the peer if need be.

    Raises `DialFailed`, `ProtocolNotSupported`, `StreamLimitReached`, `LinkClosed`.

    Attributes:
        peer: to whom.
        protocols: protocol ids, most wanted first.
        allow_limited: whether a limited (relayed) connection will do.
        optimistic: see `NetworkClient.open_stream`.
    """

    timeout_seconds: ClassVar[float] = 60.0

    peer: PeerId
    protocols: tuple[str, ...]
    allow_limited: bool = False
    optimistic: bool = False


@frozen
class Connections(Command[tuple[ConnectionInfo, ...]]):
    """The established connections, to one peer or to all.

    Attributes:
        peer: to whom; None stands for all.
    """

    peer: PeerId | None = None


@frozen
class Protect(Command[None]):
    """Hold connections to a peer, redial it when lost, and keep its addresses for good.

    Attributes:
        peer: to whom.
    """

    peer: PeerId


@frozen
class Unprotect(Command[bool]):
    """Undo `Protect`; answers whether the peer was protected.

    Attributes:
        peer: whose connections.
    """

    peer: PeerId


@frozen
class AddExternalAddress(Command[None]):
    """Confirm by hand that this node can be reached at an address.

    Attributes:
        address: where; a peer id at its end does not count.
    """

    address: Multiaddr


@frozen
class RemoveExternalAddress(Command[bool]):
    """Take back a confirmed external address; answers whether it was there.

    Attributes:
        address: where; a peer id at its end does not count.
    """

    address: Multiaddr


@frozen
class AddPeerAddresses(Command[None]):
    """Put addresses of a peer into the address book.

    Attributes:
        peer: whose.
        addresses: where it may be reached.
    """

    peer: PeerId
    addresses: tuple[Multiaddr, ...]


@frozen
class Status(Command[Mapping[str, Any]]):
    """A snapshot of the node: what `peerloom_status` of core and of each plugin reports."""


@frozen
class Ping(Command[float]):
    """Ping a connected peer; answers with the round trip in seconds.

    Attributes:
        peer: whom.
    """

    peer: PeerId


@frozen
class PerfResult:
    """What a measurement found.

    Attributes:
        upload_bytes: bytes sent.
        download_bytes: bytes received.
        upload_seconds: from opening the stream until the peer, having read all, answered.
        download_seconds: from the first answer until the end of the stream.
    """

    upload_bytes: int
    download_bytes: int
    upload_seconds: float
    download_seconds: float


@frozen
class Perf(Command[PerfResult]):
    """Send bytes to a peer, then have it send some; answers with how long both took.

    Raises `ProtocolNotSupported` when the peer does not serve measurements.

    Attributes:
        peer: with whom.
        upload_bytes: how many to send.
        download_bytes: how many to ask for.
    """

    timeout_seconds: ClassVar[float] = 600.0

    peer: PeerId
    upload_bytes: int = field(default=0, validator=ge(0))
    download_bytes: int = field(default=0, validator=[ge(0), le(MAX_PERF_BYTES)])


@frozen
class FindPeer(Command[tuple[Multiaddr, ...]]):
    """Find a peer's addresses; answered by a peer-routing plugin where one is installed.

    Attributes:
        peer: whose.
    """

    timeout_seconds: ClassVar[float] = 10.0

    peer: PeerId
