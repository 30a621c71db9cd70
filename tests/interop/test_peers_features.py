"""What the peers' programs switch on works between them, before anything of ours relies on it.

`PLAYS` says which peers have which feature; each play takes a pair of them, of every two kinds.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest
from attrs import frozen

from tests.net.namespaces import add_namespace, ip, missing, remove_namespaces

from .driver import Peer, PeerError, peer
from .pattern import pattern_sha256

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from .party import Fields

    Play = Callable[["Cast"], Awaitable[None]]

SEED: Final = 20_260_102
TOPIC: Final = "news"
KAD: Final = {"protocol": "/test/kad/1.0.0"}
SLOW_SECONDS: Final = 30
# Public ones: nobody asks for, or believes in, others. They are of a namespace's loopback.
WELL_KNOWN: Final = ("11.0.0.1", "12.0.0.1", "13.0.0.1", "14.0.0.1", "15.0.0.1")
LOCAL: Final = "10.79.0.1"


@frozen
class Cast:
    """Starts the peers of a play.

    Attributes:
        kinds: the two kinds of this case.
    """

    kinds: tuple[str, str]
    _stack: AsyncExitStack

    async def first(self, **settings: Any) -> Peer:
        """One more peer of the first kind."""
        return await self._stack.enter_async_context(peer(self.kinds[0], **settings))

    async def second(self, **settings: Any) -> Peer:
        """One more peer of the second kind."""
        return await self._stack.enter_async_context(peer(self.kinds[1], **settings))

    def namespace(self) -> str:
        """A network of their own; what they listen on there is `WELL_KNOWN` and `LOCAL`."""
        return self._stack.enter_context(_network())


async def gossip(cast: Cast) -> None:
    settings = {"gossipsub": {"message_id": "sha256", "heartbeat_seconds": 0.2}}
    first, second = await cast.first(**settings), await cast.second(**settings)
    await first.dial(second.address)
    for each, other in ((first, second), (second, first)):
        await each.subscribe(TOPIC)
        await other.event("subscribed", peer=each.id, topic=TOPIC)
    for nbytes, author, reader in ((1000, first, second), (100_000, second, first)):
        digest = pattern_sha256(SEED, nbytes)
        await author.publish(TOPIC, nbytes, SEED)
        told = await reader.event("message", topic=TOPIC, sha256=digest)
        assert (told["author"], told["bytes"]) == (author.id, nbytes)
        assert told["message"] == digest
    await first.unsubscribe(TOPIC)
    await second.event("unsubscribed", peer=first.id, topic=TOPIC)


async def kad(cast: Cast) -> None:
    hub, first, second = [await start(kad=KAD) for start in (cast.first, cast.first, cast.second)]
    for each in (first, second):
        await each.kad_add(hub.address)
        assert await each.kad_table() == [hub.id]
        await each.kad_bootstrap()
    await second.kad_put(b"/test/key", b"value")
    assert await first.kad_get(b"/test/key") == b"value"
    multihash = b"\x12\x20" + hashlib.sha256(b"content").digest()
    await first.kad_provide(multihash)
    assert first.id in await second.kad_providers(multihash)
    address = second.address.removesuffix(f"/p2p/{second.id}")
    found = {each.removesuffix(f"/p2p/{second.id}") for each in await first.kad_find(second.id)}
    assert address in found
    assert hub.id in await second.kad_closest(b"any key")


async def rendezvous(cast: Cast) -> None:
    point = await cast.first(rendezvous={"point": True})
    external = "/ip4/127.0.0.1/tcp/4001"
    registered = await cast.second(rendezvous={}, external=[external])
    asking = await cast.first(rendezvous={})
    for each in (registered, asking):
        await each.dial(point.address)
    assert await registered.rendezvous_register(point.id, "space", 7200) == 7200
    answer = await asking.rendezvous_discover(point.id, "space")
    [found] = answer["found"]
    assert found["peer"] == registered.id
    assert external in {each.removesuffix(f"/p2p/{registered.id}") for each in found["addresses"]}
    await registered.rendezvous_unregister(point.id, "space")
    with anyio.fail_after(SLOW_SECONDS):  # a point does not answer that
        while (await asking.rendezvous_discover(point.id, "space"))["found"]:
            await asking.ping(point.id)


async def relay(cast: Cast) -> None:
    external = ["/ip4/127.0.0.1/tcp/4001"]  # without one, some relays tell of no address
    server = await cast.first(relay={"server": True}, external=external)
    listening, dialling = await cast.second(relay={}, listen=[]), await cast.first(relay={})
    await listening.listen(f"{server.address}/p2p-circuit")
    await listening.event("reserved", relay=server.id, renewal=False)
    await dialling.dial(f"{server.address}/p2p-circuit/p2p/{listening.id}")
    await listening.event("connected", peer=dialling.id)
    for opener, accepter in ((dialling, listening), (listening, dialling)):
        [echoed] = (await opener.run("echo", accepter.id, 10_000, SEED))["streams"]
        assert echoed["received_sha256"] == pattern_sha256(SEED, 10_000)


async def hole_punching(cast: Cast) -> None:
    namespace = cast.namespace()
    settings: dict[str, Any] = {"relay": {}, "dcutr": {}, "namespace": namespace}
    at_relay, at_dialler, at_listener = [_tcp(host) for host in WELL_KNOWN[:3]]
    # rust-libp2p takes for its own what others see, which is the first address with its port.
    to_dialler, to_listener = [_on_all(address) for address in (at_dialler, at_listener)]
    server = await cast.first(
        relay={"server": True}, namespace=namespace, listen=[at_relay], external=[at_relay]
    )
    listening = await cast.second(**settings, listen=[to_listener], external=[at_listener])
    dialling = await cast.first(**settings, listen=[to_dialler], external=[at_dialler])
    await listening.listen(f"{server.address}/p2p-circuit")
    await listening.event("reserved", relay=server.id)
    await dialling.dial(server.address)
    for each in (listening, dialling):  # which learn from the relay how others see them
        await each.event("identified", peer=server.id)
    await dialling.dial(f"{server.address}/p2p-circuit/p2p/{listening.id}")
    await _either_punches(listening, dialling)


async def _either_punches(one: Peer, other: Peer) -> None:
    """js-libp2p tells of it as listener, rust-libp2p on the side whose dial got through."""

    async def hear(here: Peer, there: Peer) -> None:
        await here.event("hole-punched", peer=there.id, error=None, within=SLOW_SECONDS)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hear, one, other)
        tasks.start_soon(hear, other, one)


async def autonat_v1(cast: Cast) -> None:
    await _autonat(cast, "v1")


async def autonat_v2(cast: Cast) -> None:
    told = await _autonat(cast, "v2")
    assert told["address"].startswith(_tcp(WELL_KNOWN[0]))


async def _autonat(cast: Cast, version: str) -> Fields:
    settings: dict[str, Any] = {"namespace": cast.namespace(), "autonat": {version: "both"}}
    asking, *others = [_tcp(host) for host in WELL_KNOWN]
    client = await cast.first(**settings, listen=[asking])
    for address in others:  # js-libp2p wants to hear it from four, of four networks
        server = await cast.second(**settings, listen=[address])
        await client.dial(server.address)
    return await client.event("reachability", by=version, reachable=True, within=SLOW_SECONDS)


async def mdns(cast: Cast) -> None:
    settings: dict[str, Any] = {
        "namespace": cast.namespace(),
        "listen": [f"/ip4/{LOCAL}/tcp/0"],
        "mdns": {} if "go" in cast.kinds else {"interval_seconds": 1},
    }
    first, second = await cast.first(**settings), await cast.second(**settings)
    for each, other in ((first, second), (second, first)):
        named = partial(_names, other.address, f"/p2p/{other.id}")  # rust tells some at a time
        await each.event("discovered", where=named, peer=other.id, within=SLOW_SECONDS)


def _names(address: str, suffix: str, told: Mapping[str, Any]) -> bool:
    addresses = {found.removesuffix(suffix) for found in told["addresses"]}
    return address.removesuffix(suffix) in addresses


# Who has what. js-libp2p has no rendezvous (peers/js/features.js says why); as a server of AutoNAT
# v1 it takes the connection that is there for its dial back, and closes it (@libp2p/autonat,
# autonat.js, handleAutonatMessage).
PLAYS: Final[Sequence[tuple[Play, tuple[str, ...]]]] = (
    (gossip, ("js", "go", "rust")),
    (kad, ("js", "go", "rust")),
    (rendezvous, ("rust",)),
    (relay, ("js", "go", "rust")),
    (hole_punching, ("js", "go", "rust")),
    (autonat_v1, ("go", "rust")),
    (autonat_v2, ("js", "go", "rust")),
    (mdns, ("js", "go", "rust")),
)
# go-libp2p believes no answer by mDNS without an SRV record and an address (libp2p/zeroconf,
# client.go, mainloop); js-libp2p sends neither (@libp2p/mdns, query.js, gotQuery).
# rust-libp2p sends neither of these (libp2p-mdns, behaviour/iface/dns.rs), and reads additional
# records only (behaviour/iface/query.rs), of which js-libp2p sends none.
APART: Final = [(mdns, {"js", "go"}), (mdns, {"go", "rust"}), (mdns, {"js", "rust"})]
CASES: Final = [
    (play, pair)
    for play, kinds in PLAYS
    for pair in product(kinds, repeat=2)
    if (play, set(pair)) not in APART
]


@pytest.fixture
def anyio_backend() -> str:
    """None of our nodes takes part, and the driver is proven on both elsewhere."""
    return "asyncio"


@pytest.mark.parametrize(
    ("play", "pair"), CASES, ids=[f"{play.__name__}-{'-'.join(pair)}" for play, pair in CASES]
)
async def test_peers_share(play: Play, pair: tuple[str, str]) -> None:
    async with AsyncExitStack() as stack:
        await play(Cast(pair, stack))


@pytest.mark.parametrize("kind", ["js", "go", "rust"])
async def test_peers_take_every_switch(kind: str) -> None:
    gossipsub = {
        "signing": "strict-no-sign",
        "message_id": "sha256",
        "d": 4,
        "d_low": 2,
        "d_high": 5,
        "d_lazy": 2,
        "d_out": 1,
        "heartbeat_seconds": 0.5,
        "flood_publish": False,
        "max_bytes": 65_536,
        "scores": True,
        "verdict": "reject",
    }
    limits = {
        "reservations": 2,
        "reservation_seconds": 600,
        "circuit_seconds": 30,
        "circuit_bytes": 4096,
    }
    async with peer(
        kind,
        gossipsub=gossipsub,
        kad={"mode": "client", "protocol": "/test/kad/1.0.0"},
        relay={"server": True, **limits},
        dcutr={},
        autonat={"v1": "both", "v2": "both"},
        external=["/ip4/11.0.0.1/tcp/4001"],
    ) as switched:
        await switched.subscribe(TOPIC)
        assert await switched.mesh(TOPIC) == await switched.subscribers(TOPIC) == []
        assert await switched.kad_table() == []
        [more] = await switched.listen("/ip4/127.0.0.1/tcp/0")
        async with peer(kind) as other:
            await other.dial(more)
            told = await other.event("identified", peer=switched.id)
            await switched.event("connected", peer=other.id)
    assert "/ip4/11.0.0.1/tcp/4001" in {
        address.removesuffix(f"/p2p/{switched.id}") for address in told["addresses"]
    }
    # Asked early enough, rust answers identify before it knows all of its protocols, and tells of
    # the others only if it has been answered itself (libp2p-identify, handler.rs,
    # LocalProtocolsChange). That gossipsub is on, its mesh has shown.
    if kind != "rust":
        assert any(protocol.startswith("/meshsub/") for protocol in told["protocols"])
    assert "/test/kad/1.0.0" not in told["protocols"]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("js", {"rendezvous": {}}),
        ("js", {"gossipsub": {"signing": "lax"}}),
        ("js", {"autonat": {"v1": "client"}}),
        ("rust", {"mdns": {"service": "other"}}),
        ("py", {"kad": {}}),
        ("py", {"gossipsub": {"signing": "strict-no-sign"}}),
        ("py", {"gossipsub": {"message_id": "sha256"}}),
        ("go", {"rendezvous": {"point": True}}),
        ("go", {"mdns": {"interval_seconds": 1}}),
    ],
)
async def test_peers_refuse_what_they_lack(kind: str, settings: dict[str, Any]) -> None:
    assert await _refusal(kind, settings) == "unsupported"


@pytest.mark.parametrize("kind", ["js", "rust"])
async def test_peers_refuse_switches_that_are_not_in_the_protocol(kind: str) -> None:
    assert await _refusal(kind, {"kad": {"colour": "red"}}) == "bad-request"


async def _refusal(kind: str, settings: dict[str, Any]) -> str:
    with pytest.raises(PeerError) as refusal:
        async with peer(kind, **settings):
            pass
    return refusal.value.kind


@contextmanager
def _network() -> Iterator[str]:
    if (lack := missing()) is not None:
        pytest.skip(lack)
    name = f"interop-{os.getpid()}"
    add_namespace(name)
    try:
        for host in WELL_KNOWN:
            ip("-n", name, "addr", "add", f"{host}/32", "dev", "lo")
        for host in WELL_KNOWN[1:]:  # from one's own address, or the first never asks as itself
            route = ("local", host, "dev", "lo", "table", "local", "scope", "host")
            ip("-n", name, "route", "replace", *route, "src", WELL_KNOWN[0])
        # A pair of which only one end is used: mDNS passes over loopback interfaces.
        ip("-n", name, "link", "add", "here", "type", "veth", "peer", "name", "there")
        ip("-n", name, "addr", "add", f"{LOCAL}/24", "dev", "here")
        ip("-n", name, "link", "set", "here", "up")
        ip("-n", name, "link", "set", "there", "up")
        ip("-n", name, "route", "add", "224.0.0.0/4", "dev", "here")
        yield name
    finally:
        remove_namespaces([name])


def _tcp(host: str) -> str:
    # Of each host another port: rust-libp2p binds that of its listener on all of them to dial.
    return f"/ip4/{host}/tcp/{4001 + WELL_KNOWN.index(host)}"


def _on_all(address: str) -> str:
    """The same port of every host."""
    return re.sub(r"[0-9]+(?:\.[0-9]+){3}", "0.0.0.0", address)
