"""The pure parts of the swarm: limits, the tables, keep-alive."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from multiaddr import Multiaddr

from peerloom._behaviour import Behaviour, InboundProtocol
from peerloom._config import Limits
from peerloom._errors import PluginError, StreamLimitReached
from peerloom._peer_id import PeerId
from peerloom._swarm import ConnectionLimitReached
from peerloom._swarm._keep_alive import KeepAlive
from peerloom._swarm._limits import ConnectionLimits
from peerloom._swarm._protocols import ProtocolTable
from peerloom._swarm._transport_table import TransportTable
from peerloom._transports import MemoryNetwork, MemoryTransport

ALICE = PeerId.from_public_key(bytes(36))
BOB = PeerId.from_public_key(bytes(35) + b"\x01")


async def serve(_: object) -> None: ...


def behaviour(**protocols: InboundProtocol) -> Behaviour:
    made = Behaviour()
    made.protocols = {f"/{name}": inbound for name, inbound in protocols.items()}
    return made


def test_the_connections_of_one_peer_are_bounded() -> None:
    limits = ConnectionLimits(Limits(per_peer=2))
    assert [limits.establish(ALICE), limits.establish(ALICE)] == [1, 2]
    with pytest.raises(ConnectionLimitReached, match="per_peer is 2"):
        limits.establish(ALICE)
    assert limits.refused == {"per_peer": 1}
    assert limits.close(ALICE) == 1
    assert limits.establish(ALICE) == 2


def test_all_connections_are_bounded_together() -> None:
    limits = ConnectionLimits(Limits(total=1))
    limits.establish(ALICE)
    with pytest.raises(ConnectionLimitReached, match="total is 1"):
        limits.establish(BOB)
    with pytest.raises(ConnectionLimitReached, match="total"):
        limits.check_pending_in()


def test_a_protocol_is_served_by_one_owner_and_the_conflict_names_both() -> None:
    table = ProtocolTable()
    assert table.install("one", [behaviour(a=InboundProtocol(serve))])
    with pytest.raises(PluginError, match="two is already served by one"):
        table.install("two", [behaviour(b=InboundProtocol(serve), a=InboundProtocol(serve))])
    assert table.names() == ("/a",)


def test_installing_again_replaces_what_the_owner_had() -> None:
    table = ProtocolTable()
    table.install("one", [behaviour(a=InboundProtocol(serve), b=InboundProtocol(serve))])
    assert table.install("one", [behaviour(b=InboundProtocol(serve))])
    assert table.names() == ("/b",)
    assert table.withdraw("one")
    assert not table.withdraw("one")


def test_streams_of_a_protocol_are_bounded_per_peer_and_in_all() -> None:
    table = ProtocolTable()
    table.install(
        "one", [behaviour(a=InboundProtocol(serve, max_streams_per_peer=1, max_streams=2))]
    )
    release = table.acquire("/a", ALICE)
    with pytest.raises(StreamLimitReached, match="1 streams of /a with"):
        table.acquire("/a", ALICE)
    table.acquire("/a", BOB)
    with pytest.raises(StreamLimitReached, match="2 streams of /a are open"):
        table.acquire("/a", PeerId.from_public_key(bytes(35) + b"\x02"))
    release()
    table.acquire("/a", ALICE)


def test_a_limited_connection_carries_only_protocols_that_allow_it() -> None:
    table = ProtocolTable()
    table.install(
        "one",
        [behaviour(a=InboundProtocol(serve), b=InboundProtocol(serve, runs_on_limited=True))],
    )
    assert [table.accepts(name, limited=True) for name in ("/a", "/b", "/c")] == [
        False,
        True,
        False,
    ]


def connection(number: int, peer: PeerId, holding: int = 0) -> SimpleNamespace:
    return SimpleNamespace(info=SimpleNamespace(id=number, peer=peer), holding=holding)


def unexpected(owner: str, method: str, error: BaseException) -> None:
    raise error


def test_a_connection_without_a_vote_is_idle_after_the_configured_time() -> None:
    keep_alive = KeepAlive(30, unexpected)
    lonely = connection(1, ALICE)
    assert keep_alive.idle([lonely], 0) == []
    assert keep_alive.idle([lonely], 29.9) == []
    assert keep_alive.idle([lonely], 30) == [lonely]


def test_a_stream_starts_the_time_anew() -> None:
    keep_alive = KeepAlive(30, unexpected)
    busy = connection(1, ALICE)
    keep_alive.idle([busy], 0)
    busy.holding = 1
    keep_alive.idle([busy], 20)
    busy.holding = 0
    assert keep_alive.idle([busy], 40) == []
    assert keep_alive.idle([busy], 70) == [busy]


def test_an_address_that_is_none_fails_its_behaviour_alone() -> None:
    failures: list[tuple[str, str]] = []
    keep_alive = KeepAlive(30, lambda owner, where, _: failures.append((owner, where)))

    class Knows(Behaviour):
        def __init__(self, address: Any) -> None:
            self._address = address

        def addresses_of(self, peer) -> Any:
            return [self._address]

    here = Multiaddr("/memory/1")
    keep_alive.install("bad", [Knows("/memory/2")])
    keep_alive.install("good", [Knows(here)])
    assert keep_alive.addresses_of(ALICE) == [here]
    assert failures == [("bad", "addresses_of of its behaviour")]


def test_a_transport_that_raises_costs_its_owner_alone() -> None:
    failures: list[tuple[str, str]] = []

    def failed(owner: str, where: str, _: BaseException) -> None:
        failures.append((owner, where))
        table.withdraw(owner)

    class Raising(MemoryTransport):
        def handles(self, address) -> bool:
            raise SystemExit(1)

    table = TransportTable(failed)
    table.install("bad", [Raising(MemoryNetwork())])
    good = MemoryTransport(MemoryNetwork())
    table.install("good", [good])
    assert table.find(Multiaddr("/memory/1")) is good
    assert failures == [("bad", "handles of its transport")]


def serve_at_once(_: object) -> None: ...


class Server:
    async def __call__(self, _: object) -> None: ...

    def at_once(self, _: object) -> None: ...


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (serve_at_once, "serve_at_once"),
        (partial(serve_at_once, 1), "serve_at_once"),
        (lambda _: None, "<lambda>"),
        (Server().at_once, "at_once"),
        (Server, "Server"),
        ("serve", "str"),
    ],
)
def test_a_handler_that_is_not_async_is_refused_before_it_serves(handler: Any, name: str) -> None:
    table = ProtocolTable()
    with pytest.raises(PluginError, match="make the handler an `async def`") as raised:
        table.install("one", [behaviour(b=InboundProtocol(serve), a=InboundProtocol(handler))])
    assert str(raised.value).startswith("one serves /a by ")
    assert name in str(raised.value)
    assert table.names() == ()


@pytest.mark.parametrize("handler", [serve, partial(serve), Server()])
def test_a_handler_may_be_whatever_is_async(handler: Any) -> None:
    assert ProtocolTable().install("one", [behaviour(a=InboundProtocol(handler))])


@pytest.mark.parametrize("protocols", [{5: InboundProtocol(serve)}, {"/one": None}])
def test_what_is_no_protocol_is_refused_and_changes_nothing(protocols: Any) -> None:
    table = ProtocolTable()
    made = Behaviour()
    made.protocols = {"/fine": InboundProtocol(serve), **protocols}
    with pytest.raises(PluginError, match="map a protocol id"):
        table.install("bad", [made])
    assert table.names() == ()


def test_behaviours_and_protection_hold_connections() -> None:
    keep_alive = KeepAlive(0, unexpected)

    class Voter(Behaviour):
        def keep_alive(self, connection) -> bool:
            return connection.peer == BOB

    keep_alive.install("one", [Voter()])
    keep_alive.protect(ALICE)
    both = [connection(1, ALICE), connection(2, BOB)]
    assert keep_alive.idle(both, 1) == []
    assert keep_alive.unprotect(ALICE)
    assert not keep_alive.unprotect(ALICE)
    keep_alive.withdraw("one")
    assert keep_alive.idle(both, 1) == both
