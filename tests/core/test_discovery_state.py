"""DiscoveryState: addresses, roles, sources, who is held, reachability."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom._discovery._state import (
    MAX_PROTOCOLS,
    MAX_SOURCES,
    DiscoveryState,
    is_believable,
    roles_of,
)
from peerloom._links import Role
from tests.core.discovery_values import connection, direct, peer, relayed

HOP = "/libp2p/circuit/relay/0.2.0/hop"
RENDEZVOUS = "/rendezvous/1.0.0"


def identified(state: DiscoveryState, number: int, *protocols: str) -> frozenset[str] | None:
    return state.identified(peer(number), protocols, [], allow_loopback=False)


def discovered(
    state: DiscoveryState, number: int, *addresses: Multiaddr, source: str = "kad"
) -> None:
    state.discovered(peer(number), addresses, source, 0.0, allow_loopback=False)


def test_address_that_was_dialled_is_known() -> None:
    state = DiscoveryState()
    address = Multiaddr(f"{direct(1)}/p2p/{peer(1)}")
    state.connected(connection(peer(1), address), 1)

    assert state.addresses_of(peer(1)) == (direct(1),)


def test_ephemeral_port_of_an_inbound_connection_is_no_address() -> None:
    state = DiscoveryState()
    state.connected(connection(peer(1), direct(1), Role.LISTENER), 1)

    assert state.is_connected(peer(1))
    assert state.addresses_of(peer(1)) == ()


def test_relayed_connection_is_no_address() -> None:
    state = DiscoveryState()
    state.connected(connection(peer(1), relayed(2), is_relayed=True), 1)

    assert state.addresses_of(peer(1)) == ()


def test_identify_gives_addresses_in_their_order() -> None:
    state = DiscoveryState()
    addresses = [direct(number) for number in range(6)]
    state.identified(peer(1), [], addresses, allow_loopback=False)

    assert state.addresses_of(peer(1)) == tuple(addresses[:4])


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/::1/tcp/1",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/tcp/1",
        "/ip4/169.254.1.1/tcp/1",
        "/ip6/fe80::1/tcp/1",
        "/ip4/224.0.0.251/udp/5353",
        f"/ip4/192.0.2.1/tcp/1/p2p/{peer(2)}",
        f"/p2p/{peer(1)}",
        f"/dns4/{'x' * 60}.example/tcp/1" * 20,
    ],
)
def test_claim_that_an_attacker_could_use_is_not_believed(text: str) -> None:
    assert not is_believable(Multiaddr(text), peer(1), allow_loopback=False)


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/10.0.0.1/tcp/1",
        "/ip6/fd00::1/tcp/1",
        "/dns4/example.org/tcp/1",
        f"/ip4/192.0.2.1/tcp/1/p2p/{peer(1)}",
        f"{relayed(2)}",
        f"{relayed(2)}/p2p/{peer(1)}",
    ],
)
def test_claim_that_may_be_honest_is_believed(text: str) -> None:
    assert is_believable(Multiaddr(text), peer(1), allow_loopback=False)


def test_loopback_is_believed_between_nodes_of_one_machine() -> None:
    assert is_believable(direct(1, "127.0.0.1"), peer(1), allow_loopback=True)


@pytest.mark.parametrize(
    ("protocols", "roles"),
    [
        ([HOP], {"relay"}),
        (["/libp2p/circuit/relay/0.2.0/stop"], set()),
        ([RENDEZVOUS, "/libp2p/autonat/2/dial-request"], {"rendezvous", "autonat"}),
        (["/ipfs/kad/1.0.0"], {"kad"}),
        (["/mine/kad/1.0.0", "/ipfs/ping/1.0.0"], {"kad"}),
        ([], set()),
    ],
)
def test_roles_are_read_from_protocols(protocols: list[str], roles: set[str]) -> None:
    assert roles_of(protocols) == roles


def test_roles_are_told_when_they_change_and_once_for_each_time_connected() -> None:
    state = DiscoveryState()
    state.connected(connection(peer(1), direct(1)), 1)

    assert identified(state, 1, HOP) == frozenset({"relay"})
    assert identified(state, 1, HOP) is None
    assert identified(state, 1, HOP, RENDEZVOUS) == frozenset({"relay", "rendezvous"})
    state.connected(connection(peer(1), direct(1), number=2), 2)
    state.disconnected(peer(1), 1)
    assert identified(state, 1, HOP, RENDEZVOUS) is None
    state.disconnected(peer(1), 0)
    state.connected(connection(peer(1), direct(1), number=3), 1)
    assert identified(state, 1, HOP, RENDEZVOUS) == frozenset({"relay", "rendezvous"})
    assert identified(state, 1) == frozenset()
    assert identified(state, 1) is None


def test_peer_without_roles_is_not_told() -> None:
    assert identified(DiscoveryState(), 1, "/ipfs/ping/1.0.0") is None


def test_facts_say_what_is_known() -> None:
    state = DiscoveryState()
    state.connected(connection(peer(1), direct(1)), 1)
    identified(state, 1, HOP)
    discovered(state, 1, direct(2), source="rendezvous")
    discovered(state, 1, direct(2), source="kad")

    facts = state.facts(peer(1))
    assert facts is not None
    assert facts.addresses == (direct(1), direct(2))
    assert facts.protocols == {HOP}
    assert facts.roles == {"relay"}
    assert facts.sources == {"rendezvous", "kad"}
    assert facts.connections == 1
    assert state.facts(peer(2)) is None


def certified(state: DiscoveryState, number: int, *addresses: Multiaddr) -> None:
    state.identified(peer(number), (), addresses, allow_loopback=False, certified=True)


def test_newer_signed_record_replaces_what_the_peer_had_signed_for_before() -> None:
    state = DiscoveryState()
    certified(state, 1, direct(1), direct(2))
    certified(state, 1, direct(2), direct(3))

    assert set(state.addresses_of(peer(1))) == {direct(2), direct(3)}


def test_signed_record_takes_out_neither_what_worked_nor_what_others_said() -> None:
    state = DiscoveryState()
    discovered(state, 1, direct(1))
    certified(state, 1, direct(1), direct(2))
    state.connected(connection(peer(1), direct(2)), 1)
    certified(state, 1, direct(3))

    assert set(state.addresses_of(peer(1))) == {direct(1), direct(2), direct(3)}


def test_neighbour_is_not_reached_through_a_relay() -> None:
    state = DiscoveryState()
    discovered(state, 1, relayed(9), direct(1, "192.168.1.2"), source="mdns")
    discovered(state, 2, relayed(9), source="rendezvous")

    assert state.addresses_of(peer(1)) == (direct(1, "192.168.1.2"),)
    assert state.addresses_of(peer(2)) == (relayed(9),)


def test_freshest_discovered_peers_are_held_while_connected() -> None:
    state = DiscoveryState(max_held=2)
    for number in (1, 2, 3):
        discovered(state, number)
        state.connected(connection(peer(number), direct(number)), 1)
    discovered(state, 4)

    assert state.held() == {peer(2), peer(3)}
    discovered(state, 1)
    assert state.held() == {peer(1), peer(3)}
    state.disconnected(peer(3), 0)
    assert state.held() == {peer(1), peer(2)}


def test_connected_peer_that_nobody_discovered_is_not_held() -> None:
    state = DiscoveryState()
    state.connected(connection(peer(1), direct(1)), 1)

    assert state.held() == frozenset()


def test_relays_and_connected_and_kept_peers_outlive_a_flood_of_others() -> None:
    state = DiscoveryState([peer(1)], max_peers=10)
    state.add_addresses(peer(1), [direct(1)])
    identified(state, 2, HOP)
    state.connected(connection(peer(3), direct(3), Role.LISTENER), 1)
    for number in range(10, 200):
        discovered(state, number, direct(number), direct(number + 1))

    assert len(state) == 10
    assert all(state.facts(peer(number)) for number in (1, 2, 3, 199))


def test_kept_peer_keeps_its_addresses_until_it_is_not_kept() -> None:
    state = DiscoveryState()
    state.keep(peer(1))
    state.add_addresses(peer(1), [direct(1)])
    for _ in range(5):
        state.dial_failed(peer(1), [direct(1)])
    assert state.addresses_of(peer(1)) == (direct(1),)

    state.unkeep(peer(1))
    state.dial_failed(peer(1), [Multiaddr(f"{direct(1)}/p2p/{peer(1)}")])
    assert state.addresses_of(peer(1)) == ()


def test_only_a_direct_external_address_makes_the_node_public() -> None:
    state = DiscoveryState()

    assert state.public is None
    assert state.external_addresses([relayed(1)]) is False
    assert state.external_addresses([relayed(1), relayed(2)]) is None
    assert state.external_addresses([relayed(1), direct(1)]) is True
    assert state.external_addresses([direct(2)]) is None
    assert state.external_addresses([]) is False
    assert state.public is False


PEERS = st.integers(0, 30)
ADDRESSES = st.lists(st.integers(0, 12), max_size=8).map(lambda ports: [*map(direct, ports)])
EVENTS = st.one_of(
    st.tuples(st.just("connected"), PEERS, st.integers(1, 3)),
    st.tuples(st.just("disconnected"), PEERS, st.integers(0, 2)),
    st.tuples(st.just("identified"), PEERS, ADDRESSES),
    st.tuples(st.just("discovered"), PEERS, ADDRESSES, st.integers(0, 20)),
    st.tuples(st.just("failed"), PEERS, ADDRESSES),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=200))
def test_bounds_hold_whatever_happens(events: list[tuple[Any, ...]]) -> None:
    state = DiscoveryState([peer(0), peer(1)], max_held=3, max_peers=8)
    for kind, number, *rest in events:
        who = peer(number)
        if kind == "connected":
            state.connected(connection(who, direct(number)), rest[0])
        elif kind == "disconnected":
            state.disconnected(who, rest[0])
        elif kind == "identified":
            protocols = [HOP] * (number % 2) + [f"/x/{each}" for each in range(300)]
            state.identified(who, protocols, rest[0], allow_loopback=False)
        elif kind == "discovered":
            state.discovered(who, rest[0], str(rest[1]), 0.0, allow_loopback=False)
        else:
            state.dial_failed(who, rest[0])
        assert len(state) <= 8
        assert state.count_addresses() <= 8 * 4
        assert len(state.held()) <= 3
        assert all(state.is_connected(held) for held in state.held())
        assert len(state._found) <= 8
        assert state.facts(peer(0)) is not None
        facts = state.facts(who)
        if facts is not None:
            assert len(facts.addresses) <= 4
            assert len(facts.protocols) <= MAX_PROTOCOLS
            assert len(facts.sources) <= MAX_SOURCES
