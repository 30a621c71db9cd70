"""NetworkClient: how applications ask a node to do something, and hear what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import anyio
from multiaddr import Multiaddr

from ._addresses import read_address, split_peer
from ._calls import Call
from ._commands import (
    AddExternalAddress,
    AddPeerAddresses,
    Command,
    Connections,
    Dial,
    DialCondition,
    Disconnect,
    FindPeer,
    ListenOn,
    OpenStream,
    Perf,
    Ping,
    Protect,
    RemoveExternalAddress,
    Status,
    StopListening,
    Unprotect,
)
from ._errors import NodeClosed
from ._events import Event
from ._nobody import nobody_answers
from ._peer_id import PeerId
from ._subscriptions import Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._commands import PerfResult
    from ._endpoint import ConnectionInfo
    from ._event_loop import EventLoop
    from ._stream import Stream

R = TypeVar("R")
E = TypeVar("E", bound=Event)
E1 = TypeVar("E1", bound=Event)
E2 = TypeVar("E2", bound=Event)
E3 = TypeVar("E3", bound=Event)

AnyPeer = PeerId | str
AnyAddress = Multiaddr | str


class NetworkClient:
    """A node's commands and events; addresses and peer ids may be given as text.

    Every verb raises what `call` raises. Text that is no address or peer id raises ValueError.
    """

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop

    async def call(self, command: Command[R]) -> R:
        """Give a command; the answer of the handler, or what it raised.

        Raises `NoHandler`, `CommandTimedOut` after the command's `timeout_seconds`, and
        `NodeClosed`. Cancelling the caller cancels the handler.
        """
        if self._loop.closed:
            raise NodeClosed(f"{type(command).__name__}: the node has stopped")
        call = Call(command, self._loop.runtime.now() + command.timeout_seconds)
        try:
            await self._put(call)
            if self._loop.closed:
                call.reply.fail(NodeClosed("the node has stopped"))
            return await call.reply.wait()
        except BaseException:
            call.abandon()
            raise

    async def _put(self, call: Call[Any]) -> None:
        if self._loop.commands.try_put(call):
            return
        with anyio.move_on_after(call.command.timeout_seconds) as waiting:
            await self._loop.commands.put(call)
        if waiting.cancelled_caught:
            call.time_out()

    def require(self, command_class: type[Command[Any]]) -> None:
        """Raise `NoHandler` at once unless an active plugin answers such commands."""
        table = self._loop.command_table
        if not table.handlers_of(command_class):
            raise nobody_answers(command_class, table)

    @overload
    def events(self, one: type[E], /) -> Subscription[E]: ...
    @overload
    def events(self, one: type[E1], two: type[E2], /) -> Subscription[E1 | E2]: ...
    @overload
    def events(
        self, one: type[E1], two: type[E2], three: type[E3], /
    ) -> Subscription[E1 | E2 | E3]: ...
    @overload
    def events(self, *event_classes: type[Event]) -> Subscription[Event]: ...

    def events(self, *event_classes: type[Any]) -> Subscription[Any]:
        """Subscribe: ``async with client.events(A, B) as events: async for event in events``.

        Subclasses are heard too; `Event` is everything. A reader that is too slow gets `Lagged`.
        A subscriber of `ListeningOn` first gets the addresses that already listen.
        """
        return Subscription(self._loop.board, event_classes)

    async def listen_on(self, address: AnyAddress) -> int:
        """Listen; gives the listener's number, raises `ListenFailed`."""
        return await self.call(ListenOn(read_address(address)))

    async def stop_listening(self, listener_id: int) -> bool:
        """Close a listener; gives whether it was there."""
        return await self.call(StopListening(listener_id))

    async def dial(
        self,
        target: AnyPeer | Multiaddr,
        addresses: Sequence[AnyAddress] = (),
        condition: DialCondition = DialCondition.DISCONNECTED_AND_NOT_DIALING,
    ) -> ConnectionInfo:
        """Connect to a peer or an address, which may end in ``/p2p/<id>``; raises `DialFailed`."""
        peer, first = _target(target)
        others = tuple(_address_for(peer, address) for address in addresses)
        return await self.call(Dial(peer, first + others, condition))

    async def disconnect(self, peer: AnyPeer) -> int:
        """Close every connection to a peer; gives their number."""
        return await self.call(Disconnect(_peer(peer)))

    async def open_stream(
        self,
        peer: AnyPeer,
        protocols: str | Sequence[str],
        *,
        allow_limited: bool = False,
        optimistic: bool = False,
    ) -> Stream:
        """Open a stream, dialling the peer if need be; protocols come most wanted first.

        A peer that has told, by identify, that it speaks the first of them is not asked again,
        which saves a round trip. `optimistic` does the same for a single protocol when the peer
        has told nothing yet: for first bytes that do no harm if they are not understood. If the
        peer does not speak the protocol then, the stream's `receive` and `aclose` raise
        `ProtocolNotSupported` or `StreamReset`; what was sent has reached nobody.
        """
        offered = (protocols,) if isinstance(protocols, str) else tuple(protocols)
        return await self.call(OpenStream(_peer(peer), offered, allow_limited, optimistic))

    async def connections(self, peer: AnyPeer | None = None) -> tuple[ConnectionInfo, ...]:
        """Established connections, to one peer or to all, oldest first."""
        return await self.call(Connections(None if peer is None else _peer(peer)))

    async def peers(self) -> tuple[PeerId, ...]:
        """The connected peers, longest connected first."""
        return tuple(dict.fromkeys([one.peer for one in await self.connections()]))

    async def protect(self, peer: AnyPeer) -> None:
        """Hold connections to a peer, redial it when lost, keep its addresses for good."""
        await self.call(Protect(_peer(peer)))

    async def unprotect(self, peer: AnyPeer) -> bool:
        """Undo `protect`; gives whether the peer was protected."""
        return await self.call(Unprotect(_peer(peer)))

    async def add_external_address(self, address: AnyAddress) -> None:
        """Confirm by hand that this node can be reached at an address."""
        await self.call(AddExternalAddress(read_address(address)))

    async def remove_external_address(self, address: AnyAddress) -> bool:
        """Take back a confirmed external address; gives whether it was there."""
        return await self.call(RemoveExternalAddress(read_address(address)))

    async def add_peer_addresses(self, peer: AnyPeer, addresses: Sequence[AnyAddress]) -> None:
        """Put addresses of a peer into the address book."""
        wanted = _peer(peer)
        await self.call(
            AddPeerAddresses(wanted, tuple(_address_for(wanted, one) for one in addresses))
        )

    async def ping(self, peer: AnyPeer) -> float:
        """Ping a connected peer; gives the round trip in seconds."""
        return await self.call(Ping(_peer(peer)))

    async def perf(
        self, peer: AnyPeer, upload_bytes: int = 0, download_bytes: int = 0
    ) -> PerfResult:
        """Measure how fast bytes go to a peer and come back; it must serve measurements."""
        return await self.call(Perf(_peer(peer), upload_bytes, download_bytes))

    async def find_peer(self, peer: AnyPeer) -> tuple[Multiaddr, ...]:
        """Find a peer's addresses through a peer-routing plugin."""
        return await self.call(FindPeer(_peer(peer)))

    async def status(self) -> Mapping[str, Any]:
        """A snapshot of the node and of each of its plugins."""
        return await self.call(Status())


def _peer(peer: AnyPeer) -> PeerId:
    return peer if isinstance(peer, PeerId) else PeerId.from_string(peer)


def _target(target: AnyPeer | Multiaddr) -> tuple[PeerId | None, tuple[Multiaddr, ...]]:
    if isinstance(target, PeerId):
        return target, ()
    if isinstance(target, str) and not target.startswith("/"):
        return _peer_instead_of_address(target), ()
    address, peer = split_peer(read_address(target))
    return peer, (address,) if address.to_bytes() else ()


def _peer_instead_of_address(text: str) -> PeerId:
    try:
        return PeerId.from_string(text)
    except ValueError:
        raise ValueError(
            f"expected an address such as /ip4/127.0.0.1/tcp/2428, or a peer id; found {text!r}"
        ) from None


def _address_for(peer: PeerId | None, address: AnyAddress) -> Multiaddr:
    """The address without the peer id that may stand at its end."""
    stripped, named = split_peer(read_address(address))
    if named is not None and named != peer:
        raise ValueError(f"{address} is an address of {named}, not of {peer}")
    return stripped
