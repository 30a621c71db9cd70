"""PeerCache: who is remembered over a restart, and for how long."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom._discovery._peer_cache import MAX_ADDRESSES, PeerCache
from tests.core.discovery_values import direct, peer, relayed

DAY = 86_400.0
NOW = 1_700_000_000.0


def entries_of(cache: PeerCache, *numbers: int) -> list[tuple[str, bytes]]:
    found = ((str(peer(number)), cache.encode(peer(number))) for number in numbers)
    return [(key, data) for key, data in found if data is not None]


def test_addresses_come_newest_first_and_at_most_four() -> None:
    cache = PeerCache(10, DAY)
    cache.see(peer(1), [direct(1), relayed(2)], NOW)
    cache.see(peer(1), [direct(3), direct(1)], NOW)
    assert cache.addresses(peer(1)) == (direct(3), direct(1), relayed(2))

    cache.see(peer(1), [direct(4), direct(5)], NOW)
    assert cache.addresses(peer(1)) == (direct(4), direct(5), direct(3), direct(1))


def test_peer_without_an_address_is_not_remembered() -> None:
    cache = PeerCache(10, DAY)
    cache.see(peer(1), [], NOW)
    cache.see(peer(2), [Multiaddr(f"/dns4/{'x' * 60}.example/tcp/1" * 5)], NOW)

    assert len(cache) == 0
    assert cache.encode(peer(1)) is None


def test_stale_peers_go() -> None:
    cache = PeerCache(10, DAY)
    cache.see(peer(1), [direct(1)], NOW)

    assert cache.see(peer(2), [direct(2)], NOW + DAY) == ()
    assert cache.see(peer(2), [direct(2)], NOW + DAY + 1) == (peer(1),)
    assert cache.freshest(9) == (peer(2),)


def test_peers_past_the_bound_go_beginning_with_the_one_seen_longest_ago() -> None:
    cache = PeerCache(2, DAY)
    for number in (1, 2, 1):
        cache.see(peer(number), [direct(number)], NOW)

    assert cache.see(peer(3), [direct(3)], NOW) == (peer(2),)
    assert cache.freshest(1) == (peer(3),)
    assert cache.freshest(9) == (peer(3), peer(1))


def test_cache_of_no_peers_remembers_none() -> None:
    cache = PeerCache(0, DAY)
    cache.see(peer(1), [direct(1)], NOW)

    assert len(cache) == 0


def test_cache_comes_back_from_its_json_form() -> None:
    cache = PeerCache(10, DAY)
    for number in (1, 2, 3):
        cache.see(peer(number), [direct(number), relayed(9)], NOW + number)
    again = PeerCache(10, DAY)

    assert again.load(entries_of(cache, 2, 1, 3), NOW + 10) == ()
    assert again.freshest(9) == cache.freshest(9) == (peer(3), peer(2), peer(1))
    assert again.addresses(peer(1)) == (direct(1), relayed(9))


def test_load_drops_stale_peers_and_those_past_the_bound() -> None:
    cache = PeerCache(10, DAY)
    for number in (1, 2, 3):
        cache.see(peer(number), [direct(number)], NOW + number * 1000)
    again = PeerCache(1, DAY)

    dropped = again.load(entries_of(cache, 1, 2, 3), NOW + DAY + 1500)
    assert set(dropped) == {str(peer(1)), str(peer(2))}
    assert again.freshest(9) == (peer(3),)


def test_clock_that_jumped_back_makes_nothing_stale() -> None:
    cache = PeerCache(10, DAY)
    cache.see(peer(1), [direct(1)], NOW)
    again = PeerCache(10, DAY)

    assert again.load(entries_of(cache, 1), NOW - 5 * DAY) == ()
    assert json.loads(again.encode(peer(1)) or b"")["last_seen"] == NOW - 5 * DAY


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("nobody", b'{"addresses": ["/ip4/1.2.3.4/tcp/1"], "last_seen": 1700000000}'),
        (str(peer(1)), b"not json"),
        (str(peer(1)), b"[]"),
        (str(peer(1)), b"5"),
        (str(peer(1)), b"{}"),
        (str(peer(1)), b"\xff\xfe"),
        (str(peer(1)), b"[" * 100_000),
        (str(peer(1)), b'{"addresses": [], "last_seen": 1700000000}'),
        (str(peer(1)), b'{"addresses": ["/ip4/x", 5, ""], "last_seen": 1700000000}'),
        (str(peer(1)), b'{"addresses": 5, "last_seen": 1700000000}'),
        (str(peer(1)), b'{"addresses": {"a": 1}, "last_seen": 1700000000}'),
        (str(peer(1)), b'{"addresses": ["/ip4/1.2.3.4/tcp/1"], "last_seen": "x"}'),
        (str(peer(1)), b'{"addresses": ["/ip4/1.2.3.4/tcp/1"], "last_seen": NaN}'),
        (str(peer(1)), b'{"addresses": ["/ip4/1.2.3.4/tcp/1"], "last_seen": 1' + b"0" * 400 + b"}"),
    ],
)
def test_entry_that_cannot_be_read_is_dropped(key: str, data: bytes) -> None:
    cache = PeerCache(10, DAY)

    assert cache.load([(key, data)], NOW) == (key,)
    assert len(cache) == 0


def test_addresses_that_cannot_be_read_leave_the_others() -> None:
    cache = PeerCache(10, DAY)
    data = b'{"addresses": ["/nonsense", "/ip4/192.0.2.1/tcp/1001"], "last_seen": 1700000000}'

    assert cache.load([(str(peer(1)), data)], NOW) == ()
    assert cache.addresses(peer(1)) == (direct(1),)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9)), st.floats(0, 3 * DAY)),
        max_size=60,
    )
)
def test_bounds_hold_whatever_is_seen_and_what_goes_is_told(
    sightings: list[tuple[int, list[int], float]],
) -> None:
    cache, kept = PeerCache(4, DAY), set()
    for number, addresses, time in sightings:
        gone = cache.see(peer(number), [direct(each) for each in addresses], NOW + time)
        if addresses:
            kept.add(peer(number))
        kept -= set(gone)
        assert set(cache.freshest(99)) == kept
        assert len(cache) <= 4
        assert all(len(cache.addresses(each)) <= MAX_ADDRESSES for each in kept)
