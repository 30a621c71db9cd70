"""DiscoveryPlugin: from events and commands to dials, addresses and further events."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from multiaddr import Multiaddr

from peerloom._commands import AddPeerAddresses, Protect, Unprotect
from peerloom._discovery import DiscoveryConfig, _plugin
from peerloom._errors import CommandError, WrongPeerId
from peerloom._events import (
    ExternalAddressConfirmed,
    ExternalAddressExpired,
    NodeStarted,
    OutgoingConnectionFailed,
)
from peerloom._links import Role
from peerloom._shared_events import (
    PeerDiscovered,
    PeerRoles,
    ReachabilityChanged,
)
from peerloom._store import MemoryStore
from peerloom._swarm import Refused
from tests.core.discovery_bench import LOCAL, Bench
from tests.core.discovery_values import connection, direct, peer, relayed

if TYPE_CHECKING:
    from peerloom._peer_id import PeerId

HOP = "/libp2p/circuit/relay/0.2.0/hop"
BOOT = Multiaddr(f"{direct(1)}/p2p/{peer(1)}")


def test_boot_nodes_are_dialled_and_told_at_start() -> None:
    bench = Bench(BOOT, Multiaddr(f"{direct(2)}/p2p/{peer(1)}"))

    assert bench.pass_time(0) == [peer(1)]
    assert bench.behaviour.addresses_of(peer(1)) == (direct(1), direct(2))
    assert bench.told(PeerDiscovered) == [
        PeerDiscovered(peer(1), (direct(1), direct(2)), "bootstrap")
    ]


def test_dialling_waits_for_the_node_to_start_but_not_for_slow_plugins() -> None:
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
    bench.identify(bench.connect(peer(1), direct(1)), protocols=(HOP,))
    bench.tell(PeerDiscovered(peer(1), (), "kad"))
    bench.tell(PeerDiscovered(peer(2), (direct(2),), "kad"))

    assert bench.plugin.peerloom_status(bench.ctx) == {
        "peers_known": 2,
        "addresses_known": 2,
        "peers_remembered": 1,
        "peers_wanted": 2,
        "peers_protected": 0,
        "boot_nodes": 1,
        "boot_nodes_connected": 1,
        "publicly_reachable": False,
        "connected": {
            str(peer(1)): {
                "roles": ["relay"],
                "found_by": ["kad"],
                "protocols": [HOP],
                "addresses": [str(direct(1))],
            }
        },
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
