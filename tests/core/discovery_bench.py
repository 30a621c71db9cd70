"""DiscoveryPlugin on a bench: a node around it that only notes what the plugin does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from peerloom._addresses import split_peer
from peerloom._context import NodeServices, PluginContext
from peerloom._discovery import DiscoveryConfig, DiscoveryPlugin
from peerloom._dispatch import Handler
from peerloom._errors import DialFailed
from peerloom._events import (
    Event,
    NodeStarted,
    PeerConnected,
    PeerDisconnected,
)
from peerloom._links import Role
from peerloom._metrics import Metrics
from peerloom._shared_events import (
    IdentifyReceived,
)
from peerloom._store import MemoryStore, Store
from peerloom._timers import Timer, TimerHeap
from peerloom.testing import ManualRuntime
from tests.core.discovery_values import connection, direct, peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId

LOCAL = peer(1000)


@define
class WireSwarm:
    """The swarm's part that discovery uses; dials wait until the test settles them."""

    local_peer: PeerId = LOCAL
    established: list[ConnectionInfo] = field(factory=list)
    external: list[Multiaddr] = field(factory=list)
    listening: list[Multiaddr] = field(factory=lambda: [direct(0, "192.168.1.1")])
    protected: set[PeerId] = field(factory=set)

    def connections(self, who: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        return tuple(each for each in self.established if who in {None, each.peer})

    def external_addresses(self) -> tuple[Multiaddr, ...]:
        return tuple(self.external)

    def listen_addresses(self) -> tuple[tuple[int, Multiaddr], ...]:
        return tuple(enumerate(self.listening))

    def protect(self, who: PeerId) -> None:
        self.protected.add(who)

    def unprotect(self, who: PeerId) -> bool:
        found = who in self.protected
        self.protected.discard(who)
        return found

    async def dial(self, who: PeerId, addresses: Iterable[Multiaddr], condition: object) -> None:
        raise DialFailed(who, ())


class Life:
    """Notes what the plugin does; runs timers and tasks when the test says so."""

    def __init__(self, runtime: ManualRuntime) -> None:
        self._runtime = runtime
        self.heap = TimerHeap(lambda: None)
        self.emitted: list[Event] = []
        self.spawned: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def room_for(self, _: type[Event]) -> int:
        raise NotImplementedError

    async def wait_for_room(self, _: type[Event]) -> None:
        raise NotImplementedError

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        self.spawned.append((function, args))

    def wake_at(self, time: float, callback: Callable[[], object]) -> Timer:
        handler = Handler("discovery", "timer", lambda _: callback(), lambda *_: None)
        return self.heap.add(time, handler)

    def reply(self) -> Any:
        raise NotImplementedError


class Bench:
    """A plugin with a node around it that only notes."""

    def __init__(
        self,
        *boot_nodes: Multiaddr,
        config: DiscoveryConfig | None = None,
        store: Store | None = None,
        swarm: WireSwarm | None = None,
        started: bool = True,
    ) -> None:
        pairs = [split_peer(address) for address in boot_nodes]
        self.plugin = DiscoveryPlugin((who, address) for address, who in pairs if who)
        self.runtime = ManualRuntime()
        self.swarm = swarm or WireSwarm()
        self.store = store or MemoryStore()
        self.config = config or DiscoveryConfig()
        self.numbers = iter(range(1, 10_000))
        self.build()
        if started:
            self.tell(NodeStarted())

    def build(self) -> None:
        """Build the plugin's state, as at the start and after a failure."""
        self.life = Life(self.runtime)
        unused: Any = None
        swarm: Any = self.swarm
        services = NodeServices(swarm, unused, self.store, unused, self.runtime, Metrics())
        self.ctx = PluginContext("discovery", self.config, services, self.life)
        self.plugin.peerloom_setup(self.ctx)
        self.handlers = self.plugin.peerloom_event_handlers(self.ctx)
        self.commands = self.plugin.peerloom_command_handlers(self.ctx)
        (self.behaviour,) = self.plugin.peerloom_behaviours(self.ctx)

    def tell(self, event: Event) -> None:
        """Dispatch an event."""
        for handler in self.handlers:
            if isinstance(event, handler.event_class):
                handler.function(event)

    async def call(self, command: Any) -> Any:
        """Dispatch a command."""
        (handler,) = (each for each in self.commands if each.command_class is type(command))
        return handler.function(command)

    def pass_time(self, seconds: float) -> list[PeerId]:
        """Let time pass with its timers; gives the peers that are dialled in it."""
        end = self.runtime.time + seconds
        while (time := self.life.heap.next_time()) is not None and time <= end:
            self.runtime.time = max(self.runtime.time, time)
            timer = self.life.heap.pop_due(time)
            assert timer is not None
            for handler in timer.handlers:
                handler.call(None)
        self.runtime.time = end
        return [args[0] for _, args in self.life.spawned]

    async def fail_dials(self) -> list[PeerId]:
        """Let every dial under way fail; gives their peers."""
        spawned, self.life.spawned = self.life.spawned, []
        for function, args in spawned:
            await function(*args)
        return [args[0] for _, args in spawned]

    def connect(self, who: PeerId, address: Multiaddr, role: Role = Role.DIALER) -> ConnectionInfo:
        """Establish a connection and tell it."""
        info = connection(who, address, role, next(self.numbers))
        self.swarm.established.append(info)
        self.tell(PeerConnected(who, info, len(self.swarm.connections(who))))
        return info

    def disconnect(self, info: ConnectionInfo) -> None:
        """End a connection and tell it."""
        self.swarm.established.remove(info)
        self.tell(PeerDisconnected(info.peer, info, len(self.swarm.connections(info.peer)), "x"))

    def identify(
        self, info: ConnectionInfo, *addresses: Multiaddr, protocols: tuple[str, ...] = ()
    ) -> None:
        """Tell that a peer identified itself."""
        self.tell(
            IdentifyReceived(
                info.peer, info.id, "agent", "p", addresses, protocols, None, None, pushed=False
            )
        )

    def told(self, kind: type[Event]) -> list[Event]:
        """The events of a type that the plugin emitted."""
        return [event for event in self.life.emitted if isinstance(event, kind)]
