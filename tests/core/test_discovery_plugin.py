"""DiscoveryPlugin: from events and commands to dials, addresses and further events."""

from __future__ import annotations

import errno
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, evolve, field
from multiaddr import Multiaddr

from peerloom._addresses import split_peer
from peerloom._commands import AddPeerAddresses, Protect, Unprotect
from peerloom._context import NodeServices, PluginContext
from peerloom._discovery import DiscoveryConfig, DiscoveryPlugin, _plugin
from peerloom._dispatch import Handler
from peerloom._errors import CommandError, DialFailed, WrongPeerId
from peerloom._events import (
    Event,
    ExternalAddressConfirmed,
    ExternalAddressExpired,
    NodeStarted,
    OutgoingConnectionFailed,
    PeerConnected,
    PeerDisconnected,
)
from peerloom._links import Role
from peerloom._metrics import Metrics
from peerloom._runtime import SystemRuntime
from peerloom._shared_events import (
    IdentifyReceived,
    PeerDiscovered,
    PeerRoles,
    ReachabilityChanged,
)
from peerloom._store import MemoryStore, Store
from peerloom._swarm import Refused
from peerloom._timers import Timer, TimerHeap
from tests.core.discovery_values import connection, direct, peer, relayed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId

LOCAL = peer(1000)
HOP = "/libp2p/circuit/relay/0.2.0/hop"
BOOT = Multiaddr(f"{direct(1)}/p2p/{peer(1)}")


class ClockRuntime(SystemRuntime):
    """A clock that the test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.random = Random(1)
        self.time = 50.0

    def now(self) -> float:
        return self.time

    def wall_time(self) -> float:
        return 1_700_000_000.0 + self.time


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

    def __init__(self, runtime: ClockRuntime) -> None:
        self._runtime = runtime
        self.heap = TimerHeap(lambda: None)
        self.emitted: list[Event] = []
        self.spawned: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

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
        self.runtime = ClockRuntime()
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
        return await handler.function(command)

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


def test_boot_nodes_are_dialled_and_told_at_start() -> None:
    bench = Bench(BOOT, Multiaddr(f"{direct(2)}/p2p/{peer(1)}"))

    assert bench.pass_time(0) == [peer(1)]
    assert bench.behaviour.addresses_of(peer(1)) == (direct(1), direct(2))
    assert bench.told(PeerDiscovered) == [
        PeerDiscovered(peer(1), (direct(1), direct(2)), "bootstrap")
    ]


def test_dialling_waits_for_the_node_to_start_but_not_for_slow_plugins() -> (
    None
):
    bench = Bench(BOOT, started=False)
    assert bench.pass_time(0.9) == []
    bench.tell(NodeStarted())
    bench.tell(NodeStarted())
    assert bench.pass_time(10) == [peer(1)]

    bench = Bench(BOOT, started=False)
    assert bench.pass_time(1) == [peer(1)]
    bench.tell(NodeStarted())
    assert bench.pass_time(10) == [peer(1)]


def test_node_does_not_dial_itself_as_its_boot_node() -> None:
    bench = Bench(Multiaddr(f"{direct(1)}/p2p/{LOCAL}"))

    assert bench.pass_time(100) == []


async def test_boot_nodes_are_dialled_again_until_one_is_connected_and_when_it_is_lost() -> None:
    bench = Bench(BOOT)
    dialled: list[PeerId] = []
    for _ in range(4):
        bench.pass_time(0 if not dialled else 8)
        dialled += await bench.fail_dials()
    assert dialled == [peer(1)] * 4

    info = bench.connect(peer(1), direct(1))
    assert bench.behaviour.keep_alive(info)
    assert bench.pass_time(600) == []
    bench.disconnect(info)
    assert bench.pass_time(1) == [peer(1)]


def test_connected_boot_node_is_found_when_the_plugin_is_built_anew() -> None:
    bench = Bench(BOOT)
    bench.connect(peer(1), direct(1))
    bench.build()

    assert bench.pass_time(100) == []
    assert bench.plugin.peerloom_status(bench.ctx)["boot_nodes_connected"] == 1
    assert bench.behaviour.addresses_of(peer(1)) == (direct(1),)


def test_dialled_address_is_known_and_an_ephemeral_one_is_not() -> None:
    bench = Bench()
    bench.connect(peer(2), direct(2))
    bench.connect(peer(3), direct(3), Role.LISTENER)

    assert bench.behaviour.addresses_of(peer(2)) == (direct(2),)
    assert bench.behaviour.addresses_of(peer(3)) == ()


def test_identify_tells_addresses_and_roles() -> None:
    bench = Bench()
    info = bench.connect(peer(2), direct(9, "192.0.2.9"), Role.LISTENER)
    bench.identify(info, direct(2), direct(2, "127.0.0.1"), protocols=(HOP,))

    assert bench.behaviour.addresses_of(peer(2)) == (direct(2),)
    assert bench.told(PeerRoles) == [PeerRoles(peer(2), frozenset({"relay"}))]


def test_identify_over_loopback_may_tell_loopback_addresses() -> None:
    bench = Bench()
    info = bench.connect(peer(2), direct(9, "127.0.0.1"), Role.LISTENER)
    bench.identify(info, direct(2, "127.0.0.1"))

    assert bench.behaviour.addresses_of(peer(2)) == (direct(2, "127.0.0.1"),)


def test_discovered_peer_is_dialled_at_its_direct_addresses_and_held() -> None:
    bench = Bench()
    bench.tell(PeerDiscovered(peer(2), (relayed(9), direct(2, "192.168.1.2")), "mdns"))

    assert bench.pass_time(0) == [peer(2)]
    assert bench.behaviour.addresses_of(peer(2)) == (direct(2, "192.168.1.2"),)
    info = bench.connect(peer(2), direct(2, "192.168.1.2"))
    assert bench.behaviour.keep_alive(info)
    assert not bench.behaviour.keep_alive(connection(peer(3), direct(3)))


def test_discovered_peer_that_is_connected_is_not_dialled() -> None:
    bench = Bench()
    bench.connect(peer(2), direct(2))
    bench.tell(PeerDiscovered(peer(2), (direct(2),), "kad"))

    assert bench.pass_time(100) == []


def test_node_on_loopback_alone_believes_loopback() -> None:
    bench = Bench()
    event = PeerDiscovered(peer(2), (direct(2, "127.0.0.1"),), "rendezvous")
    bench.tell(event)
    assert bench.behaviour.addresses_of(peer(2)) == ()

    bench.swarm.listening = [direct(0, "127.0.0.1")]
    bench.tell(event)
    assert bench.behaviour.addresses_of(peer(2)) == (direct(2, "127.0.0.1"),)


def test_discovering_itself_or_with_dialling_off_dials_nobody() -> None:
    bench = Bench(config=DiscoveryConfig(dial_discovered=False))
    bench.tell(PeerDiscovered(LOCAL, (direct(1),), "mdns"))
    bench.tell(PeerDiscovered(peer(2), (direct(2),), "mdns"))

    assert bench.pass_time(100) == []
    assert bench.behaviour.addresses_of(LOCAL) == ()
    assert bench.behaviour.addresses_of(peer(2)) == (direct(2),)


async def test_discovered_peer_that_is_lost_is_dialled_at_0_5_15_30_and_60_seconds() -> None:
    bench = Bench()
    bench.tell(PeerDiscovered(peer(2), (direct(2),), "kad"))
    info = bench.connect(peer(2), direct(2))
    bench.pass_time(100)
    assert bench.life.spawned == []
    bench.disconnect(info)
    lost, times = bench.runtime.time, []
    for _ in range(120):
        if bench.pass_time(0):
            times.append(bench.runtime.time - lost)
            await bench.fail_dials()
        bench.pass_time(1)

    assert times == [0, 5, 15, 30, 60]


async def test_protected_peer_is_held_by_the_swarm_and_dialled_until_unprotected() -> None:
    bench = Bench()
    await bench.call(AddPeerAddresses(peer(2), (direct(2),)))
    await bench.call(Protect(peer(2)))
    assert bench.swarm.protected == {peer(2)}
    dialled = []
    for _ in range(10):
        bench.pass_time(60)
        dialled += await bench.fail_dials()
        bench.tell(OutgoingConnectionFailed(peer(2), ((direct(2), OSError("refused")),)))
    assert dialled == [peer(2)] * 10
    assert bench.behaviour.addresses_of(peer(2)) == (direct(2),)

    assert await bench.call(Unprotect(peer(2)))
    assert not await bench.call(Unprotect(peer(2)))
    assert bench.pass_time(600) == []
    assert bench.swarm.protected == set()


async def test_protected_peer_outlives_a_plugin_that_is_built_anew() -> None:
    bench = Bench()
    await bench.call(Protect(peer(2)))
    bench.build()

    assert bench.pass_time(0) == [peer(2)]


async def test_protected_peers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_plugin, "MAX_PROTECTED", 1)
    bench = Bench()
    await bench.call(Protect(peer(2)))
    await bench.call(Protect(peer(2)))

    with pytest.raises(CommandError, match="unprotect some first"):
        await bench.call(Protect(peer(3)))


async def test_addresses_of_another_peer_are_refused() -> None:
    with pytest.raises(CommandError, match="is an address of another peer"):
        await Bench().call(AddPeerAddresses(peer(2), (BOOT,)))


@pytest.mark.parametrize(
    ("cause", "blamed"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
        (TimeoutError("not connected within 10 s"), True),
        (WrongPeerId(peer(2), peer(3)), True),
        (OSError(errno.ENETUNREACH, "the cable is out"), False),
        (OSError(errno.EMFILE, "too many open files"), False),
        (Refused("by a plugin"), False),
    ],
)
async def test_address_goes_after_three_failures_that_are_its_own(
    cause: BaseException, *, blamed: bool
) -> None:
    bench = Bench()
    await bench.call(AddPeerAddresses(peer(2), (direct(2),)))
    for _ in range(3):
        assert bench.behaviour.addresses_of(peer(2)) == (direct(2),)
        bench.tell(OutgoingConnectionFailed(peer(2), ((direct(2), cause),)))
        bench.tell(OutgoingConnectionFailed(None, ((direct(2), cause),)))

    assert bool(bench.behaviour.addresses_of(peer(2))) != blamed


def test_reachability_follows_direct_external_addresses() -> None:
    bench = Bench()
    bench.pass_time(0)
    bench.swarm.external = [relayed(1)]
    bench.tell(ExternalAddressConfirmed(relayed(1)))
    bench.swarm.external = [relayed(1), direct(1)]
    bench.tell(ExternalAddressConfirmed(direct(1)))
    bench.tell(ExternalAddressConfirmed(direct(1)))
    bench.swarm.external = [relayed(1)]
    bench.tell(ExternalAddressExpired(direct(1)))

    assert bench.told(ReachabilityChanged) == [
        ReachabilityChanged(public=False),
        ReachabilityChanged(public=True),
        ReachabilityChanged(public=False),
    ]


def test_peers_of_an_earlier_run_are_dialled_once_at_start() -> None:
    store = MemoryStore()
    first = Bench(store=store)
    for number in range(2, 6):
        first.connect(peer(number), direct(number))
        first.pass_time(10)

    second = Bench(store=store, config=DiscoveryConfig(dial_remembered=3))
    assert set(second.pass_time(0)) == {peer(3), peer(4), peer(5)}
    assert second.behaviour.addresses_of(peer(2)) == (direct(2),)


def test_peer_that_came_in_is_remembered_by_what_identify_says() -> None:
    store = MemoryStore()
    first = Bench(store=store)
    first.identify(first.connect(peer(2), direct(9), Role.LISTENER), direct(2))
    first.connect(peer(3), direct(9), Role.LISTENER)

    second = Bench(store=store)
    assert second.pass_time(0) == [peer(2)]


def test_stale_and_unreadable_memories_are_cleared_away() -> None:
    store = MemoryStore()
    first = Bench(store=store)
    first.connect(peer(2), direct(2))
    space = first.ctx.store("peer-cache")
    space.put("nonsense", b"nonsense")

    Bench(store=store, config=DiscoveryConfig(remember_seconds=0)).pass_time(0)
    assert [key for key, _ in space.items()] == [str(peer(2))]
    later = Bench(store=store, config=DiscoveryConfig(remember_peers=0))
    assert later.pass_time(0) == []
    assert space.items() == ()


def test_status_tells_how_much_is_known() -> None:
    bench = Bench(BOOT)
    bench.pass_time(0)
    bench.connect(peer(1), direct(1))
    bench.tell(PeerDiscovered(peer(2), (direct(2),), "kad"))

    assert bench.plugin.peerloom_status(bench.ctx) == {
        "peers_known": 2,
        "addresses_known": 2,
        "peers_remembered": 1,
        "peers_wanted": 1,
        "peers_protected": 0,
        "boot_nodes": 1,
        "boot_nodes_connected": 1,
        "publicly_reachable": False,
    }


def test_one_timer_is_armed_at_a_time() -> None:
    bench = Bench(BOOT)
    bench.pass_time(0)
    for number in range(2, 20):
        bench.tell(PeerDiscovered(peer(number), (direct(number),), "kad"))
        assert len(bench.life.heap) == 1
    bench.pass_time(0)

    assert len(bench.life.heap) == 0
    assert len(bench.life.spawned) == 19


def test_settings_refuse_negative_numbers() -> None:
    with pytest.raises(Exception, match="hold_discovered must be at least 0"):
        evolve(DiscoveryConfig(), hold_discovered=-1)
