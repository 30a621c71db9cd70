"""Behaviour: what a plugin gives the swarm; and SwarmApi: what the swarm gives plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from attrs import frozen

from ._commands import DialCondition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from multiaddr import Multiaddr

    from ._endpoint import ConnectionInfo
    from ._links import Transport
    from ._peer_id import PeerId
    from ._stream import Stream

GateStage = Literal["dial", "accept", "connected"]
"""When `peerloom_gate` is asked.

- ``dial``: before an address is dialled; the peer is None if only an address was named;
- ``accept``: when somebody has connected, of whom nothing is known yet: the peer is None;
- ``connected``: when either side has proven who it is, before the connection is used.
"""


@frozen
class InboundProtocol:
    """How streams that others open under a protocol id are served.

    Attributes:
        handler: async function that is given each stream; it owns the stream. Raising resets it;
            returning does not close it, which `async with stream` in the handler does.
        max_streams_per_peer: streams of one peer at a time; more are refused.
        max_streams: streams of all peers at a time; more are refused.
        runs_on_limited: whether limited (relayed) connections may carry it.
        holds_connection: whether its open streams keep a connection alive.
    """

    handler: Callable[[Stream], Awaitable[None]]
    max_streams_per_peer: int = 32
    max_streams: int = 1024
    runs_on_limited: bool = False
    holds_connection: bool = True


class Behaviour:
    """A protocol as the swarm sees it; override what you need.

    Attributes:
        protocols: the protocol ids accepted from others, and how each is served.
    """

    protocols: Mapping[str, InboundProtocol] = {}

    def addresses_of(self, peer: PeerId) -> Sequence[Multiaddr]:  # noqa: ARG002
        """Addresses of a peer that this behaviour already knows, best first; asks nobody."""
        return ()

    def keep_alive(self, connection: ConnectionInfo) -> bool:  # noqa: ARG002
        """Whether this connection shall stay although no stream holds it."""
        return False


class SwarmApi(Protocol):
    """What plugins and commands may ask of the swarm."""

    @property
    def local_peer(self) -> PeerId:
        """Who this node is."""
        ...

    def connections(self, peer: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        """Established connections, to one peer or to all, oldest first."""
        ...

    async def dial(
        self,
        peer: PeerId | None,
        addresses: Sequence[Multiaddr] = (),
        condition: DialCondition = DialCondition.DISCONNECTED_AND_NOT_DIALING,
    ) -> ConnectionInfo:
        """Connect; raises `DialFailed`. Concurrent dials to a peer share one result."""
        ...

    async def open_stream(
        self,
        peer: PeerId,
        protocols: Sequence[str],
        *,
        allow_limited: bool = False,
        connection_id: int | None = None,
        optimistic: bool = False,
    ) -> Stream:
        """Open a stream, dialling the peer unless connected or `connection_id` is given.

        See `NetworkClient.open_stream` for `optimistic`.
        """
        ...

    async def disconnect(self, peer: PeerId, cause: str) -> int:
        """Close all connections to a peer; gives their number."""
        ...

    async def close_connection(self, connection_id: int, cause: str) -> bool:
        """Close one connection; gives whether it was there."""
        ...

    async def listen_on(self, address: Multiaddr) -> int:
        """Listen; gives the listener's number, raises `ListenFailed`."""
        ...

    async def stop_listening(self, listener_id: int) -> bool:
        """Close a listener; gives whether it was there."""
        ...

    def listen_addresses(self) -> tuple[tuple[int, Multiaddr], ...]:
        """Every address listened on, with its listener's number."""
        ...

    def external_addresses(self) -> tuple[Multiaddr, ...]:
        """The confirmed external addresses."""
        ...

    def add_external_address(self, address: Multiaddr) -> None:
        """Confirm an external address."""
        ...

    def remove_external_address(self, address: Multiaddr) -> bool:
        """Withdraw a confirmed external address; gives whether it was there."""
        ...

    def protocols(self) -> tuple[str, ...]:
        """The protocol ids accepted from others, sorted."""
        ...

    def protect(self, peer: PeerId) -> None:
        """Hold connections to this peer."""
        ...

    def unprotect(self, peer: PeerId) -> bool:
        """Stop holding them; gives whether the peer was protected."""
        ...

    def install(
        self, owner: str, behaviours: Sequence[Behaviour], transports: Sequence[Transport]
    ) -> None:
        """Put a plugin's behaviours and transports into service.

        Raises `PluginError` naming the other owner if a protocol id is taken; then nothing is
        installed.
        """
        ...

    def withdraw(self, owner: str) -> None:
        """Take all that belongs to a plugin out of service: protocols, transports, listeners."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Counters and bounds, for `Status`."""
        ...
