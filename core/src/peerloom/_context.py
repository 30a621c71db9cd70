"""PluginContext: all that a plugin is handed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from attrs import frozen

from ._commands import DialCondition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from multiaddr import Multiaddr

    from ._behaviour import SwarmApi
    from ._client import NetworkClient
    from ._commands import Command
    from ._dispatch import Reply
    from ._endpoint import ConnectionInfo
    from ._events import Event
    from ._libp2p import KeyPair
    from ._metrics import Metrics, PluginMetrics
    from ._peer_id import PeerId
    from ._runtime import Runtime
    from ._store import Store, StoreNamespace
    from ._stream import Stream
    from ._timers import Timer

R = TypeVar("R")


@frozen(eq=False)
class NodeServices:
    """What every plugin of a node shares."""

    swarm: SwarmApi
    client: NetworkClient
    store: Store
    identity: KeyPair
    runtime: Runtime
    metrics: Metrics


class PluginLife(Protocol):
    """One life of a plugin, from being built to being withdrawn, as its context uses it."""

    def emit(self, event: Event) -> None:
        """Hand an event to the loop."""
        ...

    def room_for(self, event_class: type[Event]) -> int:
        """How many more such events can be emitted before anybody misses one."""
        ...

    async def wait_for_room(self, event_class: type[Event]) -> None:
        """Wait until there is room for such events."""
        ...

    def spawn(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a task that ends with this life at the latest."""
        ...

    def wake_at(self, time: float, callback: Callable[[], object]) -> Timer:
        """Call back in the loop's turn, unless this life has ended."""
        ...

    def reply(self) -> Reply[R]:
        """A reply that fails when this life ends."""
        ...


class PluginContext:
    """What a plugin may use of its node; a new one each time the plugin is built.

    Attributes:
        name: the plugin's name.
        config: the instance of the plugin's config class; a mapping from section name to
            instance where it has several, None where it has none.
        local_peer: who this node is.
        identity: the node's key pair.
        runtime: time, chance and threads.
        swarm: all that the swarm can be asked.
        metrics: counters and gauges, named after the plugin.
    """

    def __init__(self, name: str, config: Any, services: NodeServices, life: PluginLife) -> None:
        self.name = name
        self.config = config
        self.identity: KeyPair = services.identity
        self.runtime: Runtime = services.runtime
        self.swarm: SwarmApi = services.swarm
        self.metrics: PluginMetrics = services.metrics.of(name)
        self.local_peer: PeerId = services.swarm.local_peer
        self._services = services
        self._life = life

    def emit(self, event: Event) -> None:
        """Tell everybody who hears such events; they hear it after the present item."""
        self._life.emit(event)

    def room_for(self, event_class: type[Event]) -> int:
        """How many more such events can be emitted now before a subscriber misses one.

        For a plugin that can wait, because its own producer can be made to wait: a stream that it
        reads from. Subscribers that already miss events are not counted.
        """
        return self._life.room_for(event_class)

    async def wait_for_room(self, event_class: type[Event]) -> None:
        """Wait until `room_for` gives some; bound it, as a subscriber may never read."""
        await self._life.wait_for_room(event_class)

    def spawn(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run an async function in the plugin's scope; if it raises, the plugin is built anew."""
        self._life.spawn(function, *args)

    def wake_at(self, time: float, callback: Callable[[], object]) -> Timer:
        """Call a plain function in the loop's turn at a time of `runtime.now()`.

        If it raises, the plugin is built anew.
        """
        return self._life.wake_at(time, callback)

    def reply(self) -> Reply[R]:
        """A reply for a command handler to await; it fails when the plugin stops.

        Raises `PluginError` when too many are open.
        """
        return self._life.reply()

    async def call(self, command: Command[R]) -> R:
        """Ask another plugin by a command; raises `NoHandler` and all that its handler raises."""
        return await self._services.client.call(command)

    def connections(self, peer: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        """Established connections, to one peer or to all, oldest first."""
        return self.swarm.connections(peer)

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
        return await self.swarm.open_stream(
            peer,
            protocols,
            allow_limited=allow_limited,
            connection_id=connection_id,
            optimistic=optimistic,
        )

    async def dial(
        self,
        peer: PeerId | None,
        addresses: Sequence[Multiaddr] = (),
        condition: DialCondition = DialCondition.DISCONNECTED_AND_NOT_DIALING,
    ) -> ConnectionInfo:
        """Connect; raises `DialFailed`. Concurrent dials to a peer share one result."""
        return await self.swarm.dial(peer, addresses, condition)

    def store(self, namespace: str) -> StoreNamespace:
        """What the plugin keeps under that name over restarts; other plugins do not see it."""
        return self._services.store.namespace(f"{self.name}.{namespace}")
