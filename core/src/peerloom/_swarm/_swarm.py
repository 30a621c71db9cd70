"""Swarm: all connections of a node; what `SwarmApi` promises."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from peerloom._addresses import split_peer
from peerloom._commands import DialCondition
from peerloom._errors import (
    DialFailed,
    LinkClosed,
    ListenFailed,
    NegotiationFailed,
    StreamError,
    of_stream,
)
from peerloom._events import (
    ProtocolsChanged,
)
from peerloom._links import MuxedLink, Role
from peerloom._peer_id import check_peer

from ._acquaintances import Acquaintances
from ._arrivals import Arrivals
from ._dialer import Dialer
from ._dials import Dials
from ._errors import NOT_HANDLED
from ._external_addresses import ExternalAddresses
from ._keep_alive import KeepAlive
from ._limits import ConnectionLimits
from ._listeners import Listeners
from ._pool import ConnectionPool
from ._protocols import ProtocolTable, check_offer
from ._record import Record
from ._surroundings import Tasks
from ._transport_table import TransportTable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

    from multiaddr import Multiaddr

    from peerloom._behaviour import Behaviour, GateStage
    from peerloom._config import NetworkConfig
    from peerloom._endpoint import ConnectionInfo
    from peerloom._links import Transport
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime
    from peerloom._stream import Stream
    from peerloom._unread import UnreadLedger

    from ._connection import Connection
    from ._surroundings import Surroundings
    from ._upgrade import Upgrader

_CANNOT_OPEN: Final = (StreamError, LinkClosed, NegotiationFailed)


class Swarm:
    """Transports, listeners, dials and connections of one node. See `SwarmApi`.

    Attributes:
        max_streams_per_connection: streams that the other side may have open on one.
    """

    def __init__(
        self,
        local_peer: PeerId,
        upgrader: Upgrader,
        around: Surroundings,
        runtime: Runtime,
        config: NetworkConfig,
    ) -> None:
        self._local_peer = local_peer
        self.max_streams_per_connection = config.limits.streams_per_connection
        self._around = around
        self._tasks = Tasks()
        self._limits = ConnectionLimits(config.limits)
        self._protocols = ProtocolTable()

        def failed(owner: str, where: str, error: BaseException) -> None:
            around.part_failed(owner, where, error)  # set later

        self._transports = TransportTable(failed)
        self._keep_alive = KeepAlive(config.keep_alive_seconds, failed)
        self._record = Record()
        self._pool = ConnectionPool(local_peer, around, self._tasks, runtime, self._record)
        self._arrivals = Arrivals(
            around,
            self._tasks,
            self._limits,
            upgrader,
            lambda link: self._establish(link, Role.LISTENER),
            runtime,
            self._record,
        )
        self._listeners = Listeners(around.sink, self._record, self._arrivals.admit)
        self._acquaintances = Acquaintances()
        self._dialer = Dialer(
            self._transports.find, upgrader, around, self._record, self._acquaintances
        )
        self._dials = Dials(
            around,
            self._tasks,
            self._limits,
            self._connect,
            lambda link: self._establish(link, Role.DIALER),
            self._record,
        )
        self._external = ExternalAddresses(around.emit)
        self._closing = anyio.Event()
        self._closed = anyio.Event()

    # -- life

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until `close`; cancellation from outside does not cut connections off."""
        try:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as tasks:
                    self._tasks.group = tasks
                    started()
                    await self._closing.wait()
                    await self._pool.close_all("the node is shutting down")
                    tasks.cancel_scope.cancel()
        finally:
            self._tasks.group = None
            self._closed.set()

    @property
    def unread(self) -> UnreadLedger:
        """What its connections hold that nobody has read."""
        return self._around.unread

    def start_soon(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task until every connection has been closed: a transport's socket."""
        self._tasks.running.start_soon(work)

    def gate_with(self, gate: Callable[[GateStage, PeerId | None, Multiaddr], str | None]) -> None:
        """Ask this before every dial and connection; a reason refuses it."""
        self._around.gate = gate

    async def close(self) -> None:
        """Close every connection, in parallel and within 2 s, then all listeners.

        A swarm that does not run yet ends as soon as it does.
        """
        self._closing.set()
        if self._tasks.group is not None:
            await self._closed.wait()

    @property
    def local_peer(self) -> PeerId:
        """Who this node is."""
        return self._local_peer

    def install(
        self, owner: str, behaviours: Sequence[Behaviour], transports: Sequence[Transport]
    ) -> None:
        """Put an owner's behaviours and transports into service instead of those it had."""
        changed = self._protocols.install(owner, behaviours)
        self._transports.install(owner, transports)
        self._keep_alive.install(owner, behaviours)
        if changed:
            self._around.emit(ProtocolsChanged(self._protocols.names()))

    def withdraw(self, owner: str) -> None:
        """Take all that belongs to an owner out of service."""
        changed = self._protocols.withdraw(owner)
        self._listeners.stop_all_of(owner)
        self._transports.withdraw(owner)
        self._keep_alive.withdraw(owner)
        if changed:
            self._around.emit(ProtocolsChanged(self._protocols.names()))

    def protocols(self) -> tuple[str, ...]:
        """The protocol ids accepted from others, sorted."""
        return self._protocols.names()

    # -- addresses

    async def listen_on(self, address: Multiaddr) -> int:
        """Listen; gives the listener's number, raises `ListenFailed`."""
        found = self._transports.find_with_owner(split_peer(address)[0])
        if found is None:
            raise ListenFailed(address, NOT_HANDLED)
        owner, transport = found
        return await self._listeners.start(self._tasks.running, owner, transport, address)

    async def stop_listening(self, listener_id: int) -> bool:
        """Close a listener; gives whether it was there."""
        return await self._listeners.stop(listener_id)

    def listen_addresses(self) -> tuple[tuple[int, Multiaddr], ...]:
        """Every address listened on, with its listener's number."""
        return self._listeners.addresses()

    def external_addresses(self) -> tuple[Multiaddr, ...]:
        """The confirmed external addresses."""
        return tuple(self._external)

    def add_external_address(self, address: Multiaddr) -> None:
        """Confirm an external address."""
        self._external.add(address)

    def remove_external_address(self, address: Multiaddr) -> bool:
        """Withdraw a confirmed external address; gives whether it was there."""
        return self._external.remove(address)

    # -- connections

    def connections(self, peer: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        """Established connections, to one peer or to all, oldest first."""
        if peer is not None:
            check_peer(peer)
        return self._pool.infos(peer)

    def round_trip_seconds(self, connection_id: int) -> float | None:
        """The newest round trip that the muxer of a connection has measured."""
        connection = self._pool.find(connection_id)
        return connection.round_trip_seconds if connection else None

    async def disconnect(self, peer: PeerId, cause: str) -> int:
        """Close all connections to a peer; gives their number."""
        check_peer(peer)
        return await self._pool.disconnect(peer, cause)

    async def close_connection(self, connection_id: int, cause: str) -> bool:
        """Close one connection; gives whether it was there."""
        connection = self._pool.find(connection_id)
        if connection is None:
            return False
        await connection.close(cause, intended=False)
        return True

    def protect(self, peer: PeerId) -> None:
        """Hold connections to this peer."""
        check_peer(peer)
        self._keep_alive.protect(peer)

    def unprotect(self, peer: PeerId) -> bool:
        """Stop holding them; gives whether the peer was protected."""
        check_peer(peer)
        return self._keep_alive.unprotect(peer)

    def close_idle(self) -> None:
        """Close the connections that nothing has held for long enough."""
        self._pool.close_idle(self._keep_alive)
        self.unread.recount()

    # -- streams

    def open_stream_now(
        self,
        peer: PeerId,
        protocols: Sequence[str],
        *,
        allow_limited: bool = False,
        optimistic: bool = False,
    ) -> Stream | None:
        """`open_stream` where nothing has to be waited for, which needs no task; else None."""
        check_peer(peer)
        check_offer(protocols)
        chosen = self._pool.best(peer, allow_limited=allow_limited)
        if chosen is None or not self._may_begin_at_once(chosen, protocols, optimistic=optimistic):
            return None
        try:
            return chosen.open_now(protocols[0], self._refusal(peer, protocols[0]))
        except _CANNOT_OPEN as error:
            raise of_stream(error, protocols[0], peer) from error.__cause__

    async def open_stream(
        self,
        peer: PeerId,
        protocols: Sequence[str],
        *,
        allow_limited: bool = False,
        connection_id: int | None = None,
        optimistic: bool = False,
    ) -> Stream:
        """Open a stream, dialling the peer unless connected or `connection_id` is given."""
        check_peer(peer)
        check_offer(protocols)
        chosen = await self._connection_for(
            peer, allow_limited=allow_limited, connection_id=connection_id
        )
        try:
            if self._may_begin_at_once(chosen, protocols, optimistic=optimistic):
                return await chosen.open_at_once(protocols[0], self._refusal(peer, protocols[0]))
            return await chosen.open_stream(protocols)
        except _CANNOT_OPEN as error:
            raise of_stream(error, ", ".join(protocols), peer) from error.__cause__

    def _may_begin_at_once(
        self, chosen: Connection, protocols: Sequence[str], *, optimistic: bool
    ) -> bool:
        at_once = self._acquaintances.may_begin_at_once(
            chosen.info.peer, protocols[0], over_quic=chosen.info.muxer is None
        )
        return at_once or (at_once is None and optimistic and len(protocols) == 1)

    def _refusal(self, peer: PeerId, protocol: str) -> Callable[[], None]:
        return partial(self._acquaintances.refused, peer, protocol)

    async def _connection_for(
        self, peer: PeerId, *, allow_limited: bool, connection_id: int | None
    ) -> Connection:
        if connection_id is not None:
            chosen = self._pool.find(connection_id)
            if chosen is None or chosen.info.peer != peer:
                raise LinkClosed(f"connection {connection_id} to {peer} has ended")
            return chosen
        chosen = self._pool.best(peer, allow_limited=allow_limited)
        if chosen is None:
            await self.dial(peer)
            chosen = self._pool.best(peer, allow_limited=allow_limited)
        if chosen is None:
            raise StreamError(f"only a limited connection leads to {peer}: allow_limited=True")
        return chosen

    def peer_speaks(self, peer: PeerId, protocols: Collection[str], agent: str = "") -> None:
        """A peer has listed the protocols that it accepts, and named its software."""
        self._acquaintances.said(peer, protocols, agent)

    # -- links

    async def dial(
        self,
        peer: PeerId | None,
        addresses: Sequence[Multiaddr] = (),
        condition: DialCondition = DialCondition.DISCONNECTED_AND_NOT_DIALING,
    ) -> ConnectionInfo:
        """Connect; raises `DialFailed`. Concurrent dials to a peer share one result."""
        if peer is not None:
            check_peer(peer)
        if peer == self._local_peer:
            raise DialFailed(peer, (), "that is this node itself")
        return await self._dials.dial(peer, addresses, condition, self._pool.infos)

    async def _connect(self, peer: PeerId | None, addresses: Sequence[Multiaddr]) -> MuxedLink:
        known = list(addresses)
        if peer is not None:
            known += self._keep_alive.addresses_of(peer)
            if not known:
                known += await self._around.find_peer(peer)
        own = [address for _, address in self.listen_addresses()]
        return await self._dialer.dial(peer, known, own)

    async def _establish(self, link: MuxedLink, role: Role) -> ConnectionInfo:
        return await self._pool.establish(
            link, role, self._limits, self._protocols, self._keep_alive
        )

    def status(self) -> Mapping[str, Any]:
        """Counters and bounds, for `Status`."""
        return {
            "connections": len(self._pool),
            "peers": self._pool.peers(),
            "pending_in": self._limits.pending_in,
            "pending_out": self._limits.pending_out,
            "refused": dict(self._limits.refused),
            "listen_addresses": [str(address) for _, address in self.listen_addresses()],
            "external_addresses": [str(address) for address in self._external],
            "inbound_streams": self._protocols.open_streams(),
            "unread_bytes": self.unread.total,
            "reset_streams": {"unread_bytes": self.unread.streams_reset},
            "accepted": self._arrivals.accepted,
            "failed_accepts": self._arrivals.failed,
            **self._dials.counters,
            **self._record.status(),
        }
