"""Event, and the facts that every node tells: addresses, connections, plugins.

Events are frozen values without logic, named as past facts. Handlers and subscribers are chosen
by type, base classes included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from multiaddr import Multiaddr

    from ._dispatch import EventHandler
    from ._endpoint import ConnectionInfo
    from ._peer_id import PeerId

E = TypeVar("E", bound="Event")


class Event:
    """Base of all events."""

    __slots__ = ()

    @classmethod
    def heard_by(cls, handler: Callable[[Self], None]) -> EventHandler:
        """A record for `peerloom_event_handlers`: that plain function hears these events."""
        from ._dispatch import EventHandler  # noqa: PLC0415 - the table imports this module

        return EventHandler(cls, handler)


@frozen
class Lagged(Event):
    """A subscriber was too slow: that many events were not delivered to it.

    Attributes:
        count: how many, since the event delivered before this one.
    """

    count: int


@frozen
class NodeStarted(Event):
    """The node has started: plugins run, and each configured address listens or has failed."""


@frozen
class ListeningOn(Event):
    """The node listens on a new address.

    Attributes:
        listener_id: number of the listener, the same for all its addresses.
        address: the bound address, without the peer id.
    """

    listener_id: int
    address: Multiaddr


@frozen
class ListenAddressExpired(Event):
    """An address is not listened on any more.

    Attributes:
        listener_id: number of the listener.
        address: the address that went.
    """

    listener_id: int
    address: Multiaddr


@frozen
class ListenerClosed(Event):
    """A listener has closed.

    Attributes:
        listener_id: number of the listener.
        addresses: the addresses that it had.
        cause: what went wrong, or None when it was closed on purpose.
    """

    listener_id: int
    addresses: tuple[Multiaddr, ...]
    cause: BaseException | None


@frozen
class ListenerFailed(Event):
    """A listener could not accept a connection and goes on.

    Attributes:
        listener_id: number of the listener.
        cause: what went wrong.
    """

    listener_id: int
    cause: BaseException


@frozen
class Dialing(Event):
    """A dial has begun.

    Attributes:
        peer: the peer wanted, or None when only an address is known.
    """

    peer: PeerId | None


@frozen
class PeerConnected(Event):
    """A connection is established: secured, muxed, its peer proven.

    Attributes:
        peer: who it is.
        connection: its id, endpoint, security and muxer.
        established: connections to this peer, this one included.
    """

    peer: PeerId
    connection: ConnectionInfo
    established: int


@frozen
class PeerDisconnected(Event):
    """A connection has ended.

    Attributes:
        peer: who it was.
        connection: the connection that ended.
        remaining: connections to this peer that still stand.
        cause: why it ended, in one line.
        intended: whether this node had no more use for it: the application closed it, it was
            idle, or the node stops. Otherwise it was lost.
    """

    peer: PeerId
    connection: ConnectionInfo
    remaining: int
    cause: str
    intended: bool = False


@frozen
class OutgoingConnectionFailed(Event):
    """A dial ended without a connection.

    Attributes:
        peer: the peer wanted, or None.
        attempts: each address tried and what became of it.
    """

    peer: PeerId | None
    attempts: tuple[tuple[Multiaddr, BaseException], ...]


@frozen
class IncomingConnectionFailed(Event):
    """Somebody reached a listener, but no connection came of it.

    Attributes:
        local_address: where it came in.
        remote_address: where it came from.
        cause: what went wrong, or which limit refused it.
    """

    local_address: Multiaddr
    remote_address: Multiaddr
    cause: BaseException


@frozen
class ExternalAddressCandidate(Event):
    """A peer says that it sees this node at an address; nothing has proven it yet.

    Attributes:
        address: the address seen.
        observer: who says so.
    """

    address: Multiaddr
    observer: PeerId


@frozen
class ExternalAddressConfirmed(Event):
    """The node can be reached at an address.

    Attributes:
        address: the address, without the peer id.
    """

    address: Multiaddr


@frozen
class ExternalAddressExpired(Event):
    """The node can no longer be reached at an address that was confirmed.

    Attributes:
        address: the address, without the peer id.
    """

    address: Multiaddr


@frozen
class ProtocolsChanged(Event):
    """The protocols that this node accepts have changed.

    Attributes:
        protocols: all that it accepts now, sorted.
    """

    protocols: tuple[str, ...]


@frozen
class PluginFailed(Event):
    """Something of a plugin raised; the node goes on.

    Attributes:
        plugin: the plugin's name.
        where: the handler, stream, timer, task or hook that raised.
        cause: what it raised.
        peer: the peer whose stream it served, or None.
        stopped: whether the plugin is out of service for good.
    """

    plugin: str
    where: str
    cause: BaseException = field(eq=False)
    peer: PeerId | None = None
    stopped: bool = False


@frozen
class SlowHandler(Event):
    """A handler held the event loop.

    Attributes:
        plugin: the plugin's name.
        where: the handler.
        seconds: for how long.
    """

    plugin: str
    where: str
    seconds: float


@frozen
class StoreFailed(Event):
    """What shall survive a restart cannot be kept; the node goes on with what it has in memory.

    Attributes:
        path: the file.
        cause: what went wrong.
    """

    path: str
    cause: BaseException = field(eq=False)
