"""DNS in addresses, with a resolver that answers from a table."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from multiaddr import Multiaddr

from peerloom._swarm import _resolve
from peerloom._swarm._resolve import MAX_RESOLVED, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
OTHER = "12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3"


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """TXT records by name; an absent name has none."""
    table: dict[str, list[str]] = {}

    async def answer(name: str) -> Sequence[str]:
        if name not in table:
            raise OSError(f"no TXT records of {name}")
        return table[name]

    monkeypatch.setattr(_resolve, "_txt_records", answer)
    return table


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, socket.AddressFamily], list[str]]:
    """Hosts by name and family."""
    table: dict[tuple[str, socket.AddressFamily], list[str]] = {}

    async def answer(name: str, family: socket.AddressFamily) -> Sequence[str]:
        return table.get((name, family), [])

    monkeypatch.setattr(_resolve, "_hosts", answer)
    return table


async def found(address: str) -> list[str]:
    return [str(each) for each in await resolve(Multiaddr(address))]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("dns4", ["/ip4/192.0.2.1/tcp/4001"]),
        ("dns6", ["/ip6/2001:db8::1/tcp/4001"]),
        ("dns", ["/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/tcp/4001"]),
    ],
)
async def test_a_name_stands_for_the_hosts_of_its_family(
    hosts: dict[tuple[str, socket.AddressFamily], list[str]], kind: str, expected: list[str]
) -> None:
    hosts["example.org", socket.AF_INET] = ["/ip4/192.0.2.1"]
    hosts["example.org", socket.AF_INET6] = ["/ip6/2001:db8::1"]
    assert await found(f"/{kind}/example.org/tcp/4001") == expected


async def test_what_stands_behind_a_name_is_kept(
    hosts: dict[tuple[str, socket.AddressFamily], list[str]],
) -> None:
    hosts["example.org", socket.AF_INET] = ["/ip4/192.0.2.1"]
    assert await found(f"/dns4/example.org/udp/4001/quic-v1/p2p/{PEER}") == [
        f"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{PEER}"
    ]


async def test_a_dnsaddr_gives_the_addresses_of_the_peer_that_is_named(
    records: dict[str, list[str]],
) -> None:
    records["_dnsaddr.example.org"] = [
        f"dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{PEER}",
        f"dnsaddr=/ip4/192.0.2.2/tcp/1/p2p/{OTHER}",
        "dnsaddr=/nonsense",
        "v=spf1",
    ]
    assert await found(f"/dnsaddr/example.org/p2p/{PEER}") == [f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}"]


async def test_a_dnsaddr_may_name_another(records: dict[str, list[str]]) -> None:
    records["_dnsaddr.a.org"] = [f"dnsaddr=/dnsaddr/b.org/p2p/{PEER}"]
    records["_dnsaddr.b.org"] = [f"dnsaddr=/ip4/192.0.2.1/tcp/1/p2p/{PEER}"]
    assert await found(f"/dnsaddr/a.org/p2p/{PEER}") == [f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}"]


async def test_a_circle_of_dnsaddrs_ends(records: dict[str, list[str]]) -> None:
    records["_dnsaddr.a.org"] = ["dnsaddr=/dnsaddr/a.org"]
    with pytest.raises(OSError, match="deep"):
        await found("/dnsaddr/a.org")


async def test_a_name_that_stands_for_too_much_is_cut(records: dict[str, list[str]]) -> None:
    records["_dnsaddr.a.org"] = [f"dnsaddr=/ip4/192.0.2.1/tcp/{port}" for port in range(1, 100)]
    assert len(await found("/dnsaddr/a.org")) == MAX_RESOLVED


async def test_a_name_without_an_address_is_an_error(records: dict[str, list[str]]) -> None:
    records["_dnsaddr.a.org"] = ["something else"]
    with pytest.raises(OSError, match="no address"):
        await found("/dnsaddr/a.org")


async def test_the_system_resolves_localhost() -> None:
    assert "/ip4/127.0.0.1/tcp/4001" in await found("/dns4/localhost/tcp/4001")
