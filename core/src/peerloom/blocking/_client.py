"""NetworkClient without `async`."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar, overload

from peerloom._client import AnyPeer
from peerloom._client import NetworkClient as AsyncClient
from peerloom._events import Event

from ._stream import Stream
from ._subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from peerloom._commands import Command

    from ._portal import Portal

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=Event)
E1 = TypeVar("E1", bound=Event)
E2 = TypeVar("E2", bound=Event)
E3 = TypeVar("E3", bound=Event)


def _blocking(
    verb: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[NetworkClient, P], R]:
    """A verb of the async client as one that waits: same arguments, same result, same errors."""

    @wraps(verb)
    def call(self: NetworkClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        bound: Callable[[], Awaitable[R]] = partial(verb, self.async_client, *args, **kwargs)
        return self.portal.run(bound)

    return call


class NetworkClient:
    """A node's commands and events, as `peerloom.NetworkClient` has them.

    Attributes:
        portal: what carries the calls: the node.
        async_client: the client beneath.
    """

    def __init__(self, portal: Portal, async_client: AsyncClient) -> None:
        self.portal = portal
        self.async_client = async_client

    call: Final = _blocking(AsyncClient.call)
    listen_on: Final = _blocking(AsyncClient.listen_on)
    stop_listening: Final = _blocking(AsyncClient.stop_listening)
    dial: Final = _blocking(AsyncClient.dial)
    disconnect: Final = _blocking(AsyncClient.disconnect)
    connections: Final = _blocking(AsyncClient.connections)
    peers: Final = _blocking(AsyncClient.peers)
    protect: Final = _blocking(AsyncClient.protect)
    unprotect: Final = _blocking(AsyncClient.unprotect)
    add_external_address: Final = _blocking(AsyncClient.add_external_address)
    remove_external_address: Final = _blocking(AsyncClient.remove_external_address)
    add_peer_addresses: Final = _blocking(AsyncClient.add_peer_addresses)
    ping: Final = _blocking(AsyncClient.ping)
    perf: Final = _blocking(AsyncClient.perf)
    find_peer: Final = _blocking(AsyncClient.find_peer)
    status: Final = _blocking(AsyncClient.status)

    def open_stream(
        self,
        peer: AnyPeer,
        protocols: str | Sequence[str],
        *,
        allow_limited: bool = False,
        optimistic: bool = False,
    ) -> Stream:
        """Open a stream, dialling the peer if need be; see `peerloom.NetworkClient.open_stream`."""
        stream = self.portal.run(
            lambda: self.async_client.open_stream(
                peer, protocols, allow_limited=allow_limited, optimistic=optimistic
            )
        )
        return Stream(self.portal, stream)

    def require(self, command_class: type[Command[Any]]) -> None:
        """Raise TypeError: the typed clients of plugins, which call it, are async.

        Whoever wants to know has ``async_client.require``.
        """
        raise TypeError(
            f"the client of a plugin ({command_class.__name__}) is async: give it "
            "node.async_client, not the blocking node.client, and call it by node.run"
        )

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
        """Subscribe: ``with client.events(A, B) as events: for event in events``.

        Subclasses are heard too; `Event` is everything. A reader that is too slow gets `Lagged`.
        A subscriber of `ListeningOn` first gets the addresses that already listen.
        """
        return Subscription(self.portal, self.async_client.events(*event_classes))
