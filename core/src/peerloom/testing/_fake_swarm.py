"""FakeSwarm: a swarm without a network, for unit tests of plugins and behaviours."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
from multiaddr import Multiaddr

from peerloom._addresses import components, split_peer
from peerloom._commands import DialCondition
from peerloom._errors import (
    DialFailed,
    LinkClosed,
    ListenFailed,
    ProtocolNotSupported,
    StreamError,
)
from peerloom._events import (
    ListenAddressExpired,
    ListenerClosed,
    ListeningOn,
    ProtocolsChanged,
)
from peerloom._isolation import Seam
from peerloom._links import Role
from peerloom._peer_id import check_peer
from peerloom._stream import Stream
from peerloom._swarm._errors import NOT_HANDLED
from peerloom._swarm._external_addresses import ExternalAddresses
from peerloom._swarm._keep_alive import KeepAlive
from peerloom._swarm._protocols import ProtocolTable, check_offer

from ._fake_connections import FakeConnections
from ._fake_dials import FakeDials
from ._fake_peer import FakePeer, identity_of
from ._fake_stream import RefusedStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from peerloom._behaviour import Behaviour
    from peerloom._endpoint import ConnectionInfo
    from peerloom._links import LinkLimits, MuxedStream, Transport
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime
    from peerloom._swarm import Surroundings

_FIRST_PORT: Final = 20_000
_TURNS_OF_AN_ANSWER: Final = 10  # more than a loop takes to wake, and to start who serves a stream
_LISTENABLE: Final = frozenset({"ip4", "ip6", "memory"})


class FakeSwarm:
    """What `SwarmApi` promises, kept with peers that exist in memory only.

    It passes the same tests as the real swarm as to what is promised there; it dials in one turn,
    counts no limits but those of protocols, closes no idle connection, and takes transports
    without using them.

    Attributes:
        local_peer: who this node is.
        peers: whom `add_peer` made.
        failing: while true, each call that may fail does: dials, streams, listening.
        protected: peers whose connections are held.
        installed: by owner, the protocol ids in service.
    """

    def __init__(
        self, local_peer: PeerId, around: Surroundings, tasks: TaskGroup, runtime: Runtime
    ) -> None:
        self.local_peer = local_peer
        self.peers: dict[PeerId, FakePeer] = {}
        self.failing = False
        self.protected: set[PeerId] = set()
        self.installed: dict[str, tuple[str, ...]] = {}
        self._around = around
        self._tasks = tasks
        self._protocols = ProtocolTable()
        self._keep_alive = KeepAlive(0.0, around.part_failed)
        self._numbers = count(1)
        self._connections = FakeConnections(around, runtime, self._numbers)
        self._dials = FakeDials(
            around, tasks, self._connections, self._known_addresses, self._who_answers
        )
        self._listeners: dict[int, Multiaddr] = {}
        self._external = ExternalAddresses(self._around.emit)
        self._ports = count(_FIRST_PORT)

    # -- what the test does

    def add_peer(
        self,
        name: str,
        serves: Mapping[str, Callable[[Stream], Awaitable[None]]] | None = None,
        addresses: Sequence[Multiaddr | str] | None = None,
        *,
        known: bool = True,
    ) -> FakePeer:
        """Another node, which this one may dial at an address; see `FakePeer`.

        Unless it is `known`, whoever dials it must give the address.
        """
        identity = identity_of(name)
        if addresses is None:
            addresses = (f"/ip4/192.0.2.{2 + len(self.peers) % 250}/tcp/4001",)
        made = FakePeer(self, identity, [Multiaddr(one) for one in addresses], serves or {})
        made.known = known
        self.peers[made.peer_id] = made
        return made

    async def arrive(self, peer: FakePeer, limits: LinkLimits | None = None) -> ConnectionInfo:
        """A peer dials this node."""
        address = peer.addresses[0] if peer.addresses else Multiaddr("/ip4/192.0.2.255/tcp/4001")
        return await self._connections.establish(peer.peer_id, address, Role.LISTENER, limits)

    async def arrive_stream(self, peer: FakePeer, protocol: str) -> Stream:
        """A peer opens a stream to this node; gives the peer's end."""
        if not self.connections(peer.peer_id):
            await self.arrive(peer)
        info = self.connections(peer.peer_id)[0]
        entry = self._protocols.find(protocol)
        if entry is None or not self._protocols.accepts(protocol, limited=info.limits is not None):
            raise ProtocolNotSupported(self.local_peer, (protocol,))
        theirs, ours = self._connections.stream_pair(info)
        try:
            release = self._protocols.acquire(protocol, peer.peer_id)
        except StreamError:
            ours.reset()
            return _stream(theirs, protocol, info)
        stream = _stream(ours, protocol, info, release)
        if not self._around.offer(entry.owner, entry.inbound, stream):
            stream.reset()
        await _answer()
        return _stream(theirs, protocol, info)

    async def depart(self, peer: FakePeer, cause: str) -> int:
        """A peer closes its connections."""
        return await self._connections.close_all(peer.peer_id, cause, intended=False)

    # -- what `SwarmApi` promises

    def connections(self, peer: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        """Established connections, to one peer or to all, oldest first."""
        if peer is not None:
            check_peer(peer)
        return self._connections.infos(peer)

    async def dial(
        self,
        peer: PeerId | None,
        addresses: Sequence[Multiaddr] = (),
        condition: DialCondition = DialCondition.DISCONNECTED_AND_NOT_DIALING,
    ) -> ConnectionInfo:
        """Connect; raises `DialFailed`."""
        if peer is not None:
            check_peer(peer)
        if peer == self.local_peer:
            raise DialFailed(peer, (), "that is this node itself")
        return await self._dials.dial(peer, addresses, condition)

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
        info = await self._connection_for(peer, connection_id, allow_limited=allow_limited)
        await anyio.lowlevel.checkpoint()
        if self.failing:
            raise LinkClosed(f"connection {info.id} to {peer} has ended: the fake swarm is failing")
        serves = self.peers[peer].serves
        protocol = next((one for one in protocols if one in serves), None)
        if protocol is None:
            refusal = ProtocolNotSupported(peer, protocols)
            if optimistic and len(protocols) == 1:
                return _stream(RefusedStream(refusal), protocols[0], info)
            raise refusal
        ours, theirs = self._connections.stream_pair(info)
        self._tasks.start_soon(_play, serves[protocol], _stream(theirs, protocol, info))
        if not optimistic:
            await _answer()
        return _stream(ours, protocol, info)

    async def disconnect(self, peer: PeerId, cause: str) -> int:
        """Close all connections to a peer; gives their number."""
        check_peer(peer)
        return await self._connections.close_all(peer, cause, intended=True)

    async def close_connection(self, connection_id: int, cause: str) -> bool:
        """Close one connection; gives whether it was there."""
        await anyio.lowlevel.checkpoint()
        return await self._connections.close(connection_id, cause, intended=False)

    async def listen_on(self, address: Multiaddr) -> int:
        """Listen; gives the listener's number, raises `ListenFailed`."""
        await anyio.lowlevel.checkpoint()
        bare = split_peer(address)[0]
        if self.failing:
            raise ListenFailed(bare, "the fake swarm is failing")
        if components(bare)[0][0] not in _LISTENABLE:
            raise ListenFailed(bare, NOT_HANDLED)
        number = next(self._numbers)
        self._listeners[number] = Multiaddr(
            str(bare).replace("/tcp/0", f"/tcp/{next(self._ports)}")
        )
        await self._around.sink.put(ListeningOn(number, self._listeners[number]))
        return number

    async def stop_listening(self, listener_id: int) -> bool:
        """Close a listener; gives whether it was there."""
        await anyio.lowlevel.checkpoint()
        address = self._listeners.pop(listener_id, None)
        if address is None:
            return False
        await self._around.sink.put(ListenAddressExpired(listener_id, address))
        await self._around.sink.put(ListenerClosed(listener_id, (address,), None))
        return True

    def listen_addresses(self) -> tuple[tuple[int, Multiaddr], ...]:
        """Every address listened on, with its listener's number."""
        return tuple(self._listeners.items())

    def external_addresses(self) -> tuple[Multiaddr, ...]:
        """The confirmed external addresses."""
        return tuple(self._external)

    def add_external_address(self, address: Multiaddr) -> None:
        """Confirm an external address."""
        self._external.add(address)

    def remove_external_address(self, address: Multiaddr) -> bool:
        """Withdraw a confirmed external address; gives whether it was there."""
        return self._external.remove(address)

    def protocols(self) -> tuple[str, ...]:
        """The protocol ids accepted from others, sorted."""
        return self._protocols.names()

    def protect(self, peer: PeerId) -> None:
        """Hold connections to this peer."""
        check_peer(peer)
        self.protected.add(peer)

    def unprotect(self, peer: PeerId) -> bool:
        """Stop holding them; gives whether the peer was protected."""
        check_peer(peer)
        if peer not in self.protected:
            return False
        self.protected.remove(peer)
        return True

    def install(
        self,
        owner: str,
        behaviours: Sequence[Behaviour],
        transports: Sequence[Transport],  # noqa: ARG002 - there is no network to carry them
    ) -> None:
        """Put a plugin's behaviours into service."""
        changed = self._protocols.install(owner, behaviours)
        self._keep_alive.install(owner, behaviours)
        self.installed[owner] = tuple(name for one in behaviours for name in one.protocols)
        if changed:
            self._around.emit(ProtocolsChanged(self.protocols()))

    def withdraw(self, owner: str) -> None:
        """Take all that belongs to a plugin out of service."""
        changed = self._protocols.withdraw(owner)
        self._keep_alive.withdraw(owner)
        self.installed.pop(owner, None)
        if changed:
            self._around.emit(ProtocolsChanged(self.protocols()))

    def status(self) -> Mapping[str, Any]:
        """Counters, for `Status`."""
        return {
            "connections": len(self.connections()),
            "peers": len({info.peer for info in self.connections()}),
            "listen_addresses": [str(address) for address in self._listeners.values()],
            "external_addresses": [str(address) for address in self._external],
            "inbound_streams": self._protocols.open_streams(),
        }

    # -- how

    def _known_addresses(self, peer: PeerId) -> list[Multiaddr]:
        found = self.peers.get(peer)
        own = found.addresses if found is not None and found.known else ()
        return [*self._keep_alive.addresses_of(peer), *own]

    def _who_answers(self, peer: PeerId | None, address: Multiaddr) -> PeerId | None:
        for one in self.peers.values():
            there = address in one.addresses and one.reachable and not self.failing
            if there and peer in {None, one.peer_id}:
                return one.peer_id
        return None

    async def _connection_for(
        self, peer: PeerId, connection_id: int | None, *, allow_limited: bool
    ) -> ConnectionInfo:
        if connection_id is not None:
            for info in self.connections(peer):
                if info.id == connection_id:
                    return info
            raise LinkClosed(f"connection {connection_id} to {peer} has ended")
        if not self.connections(peer):
            await self.dial(peer)
        for info in self.connections(peer):
            if allow_limited or info.limits is None:
                return info
        raise StreamError(f"only a limited connection leads to {peer}: allow_limited=True")


async def _answer() -> None:
    """Whoever opens a stream waits for an answer: the other side has begun to serve it by then."""
    for _ in range(_TURNS_OF_AN_ANSWER):
        await anyio.lowlevel.checkpoint()


async def _play(side: Callable[[Stream], Awaitable[None]], stream: Stream) -> None:
    """Run the other side's function; where it raises, as a stream handler, the stream is reset."""
    failures: list[BaseException] = []
    with Seam(failures.append):
        await side(stream)
    if failures:
        stream.reset()


def _stream(
    muxed: MuxedStream,
    protocol: str,
    info: ConnectionInfo,
    on_finished: Callable[[], None] = lambda: None,
) -> Stream:
    return Stream(muxed, protocol, info, on_finished=on_finished)
