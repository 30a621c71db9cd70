"""The features that rust-libp2p's program switches on: several such peers with each other.

So a scenario of ours with one of them fails for no reason of the program.
"""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from .driver import Peer, PeerError, peer
from .party import EVENT_SECONDS
from .pattern import pattern_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .party import Fields

SEED = 7
TOPIC = "news"
KEY = b"/test/somewhere".hex()
LISTEN = "/ip4/127.0.0.1/tcp/0"


@asynccontextmanager
async def two(**settings: Any) -> AsyncIterator[tuple[Peer, Peer]]:
    async with peer("rust", **settings) as there, peer("rust", **settings) as here:
        await here.dial(there.address)
        await there.event("identified", peer=here.id)
        await here.event("identified", peer=there.id)
        yield here, there


@pytest.mark.parametrize("signing", ["strict-sign", "strict-no-sign", "lax"])
async def test_gossipsub_delivers_what_a_peer_publishes(signing: str) -> None:
    settings = {"signing": signing, "message_id": "sha256", "heartbeat_seconds": 0.1}
    async with two(gossipsub=settings) as (here, there):
        await subscribe(here, there)
        published = await here.request("publish", topic=TOPIC, bytes=1000, seed=SEED)
        message = await there.event("message", topic=TOPIC)
        assert message["sha256"] == message["message"] == pattern_sha256(SEED, 1000)
        assert (message["message"], message["bytes"]) == (published["message"], 1000)
        assert message["author"] == (None if signing == "strict-no-sign" else here.id)
        assert message["from"] == here.id
        assert (await here.request("subscribers", topic=TOPIC))["peers"] == [there.id]
        await there.request("unsubscribe", topic=TOPIC)
        await here.event("unsubscribed", peer=there.id, topic=TOPIC)


async def test_gossipsub_forms_a_mesh_and_scores_its_peers() -> None:
    settings = {"d": 2, "d_low": 1, "d_high": 3, "d_lazy": 1, "d_out": 1, "scores": True}
    async with two(gossipsub=settings) as (here, there):
        await subscribe(here, there)
        await here.request("publish", topic=TOPIC, bytes=10, seed=SEED)
        await there.event("message", topic=TOPIC)
        assert (await here.request("mesh", topic=TOPIC))["peers"] == [there.id]
        assert isinstance((await here.request("score", peer=there.id))["score"], float)


@pytest.mark.parametrize("verdict", ["ignore", "reject"])
async def test_gossipsub_passes_nothing_on_that_its_validator_does_not_accept(verdict: str) -> None:
    async with two(gossipsub={"verdict": verdict}) as (here, there):
        await subscribe(here, there)
        await here.request("publish", topic=TOPIC, bytes=10, seed=SEED)
        await here.ping(there.id)
        assert "message" not in {event["event"] for event in there.events}


async def test_kad_finds_peers_records_and_providers() -> None:
    async with two(kad={"protocol": "/test/kad/1"}) as (here, there):
        assert (await here.request("kad-table"))["peers"] == [there.id]
        async with peer("rust", kad={"protocol": "/test/kad/1", "mode": "client"}) as third:
            await third.dial(here.address)
            await third.event("identified", peer=here.id)
            await third.request("kad-add", address=here.address)
            await third.request("kad-bootstrap")
            found = await third.request("kad-find", peer=there.id)
            assert without_peer(there.address) in map(without_peer, found["addresses"])
            await third.request("kad-put", key=KEY, value=b"small".hex())
            assert (await there.request("kad-get", key=KEY))["value"] == b"small".hex()
            multihash = "1220" + hashlib.sha256(b"content").hexdigest()
            await there.request("kad-provide", key=multihash)
            assert (await third.request("kad-providers", key=multihash))["peers"] == [there.id]
            closest = (await third.request("kad-closest", key=KEY))["peers"]
            assert set(closest) == {here.id, there.id}
            with pytest.raises(PeerError, match="no such record"):
                await third.request("kad-get", key=b"/test/nowhere".hex())


async def test_rendezvous_registers_and_discovers() -> None:
    external = ["/ip4/127.0.0.1/tcp/4001"]
    async with (
        peer("rust", rendezvous={"point": True}) as point,
        peer("rust", rendezvous={}, external=external) as registered,
        peer("rust", rendezvous={}) as asking,
    ):
        await registered.dial(point.address)
        await asking.dial(point.address)
        where: Fields = {"point": point.id, "namespace": "here"}
        granted = await registered.request("rendezvous-register", **where, seconds=3600)
        assert granted["seconds"] == 3600
        answer = await asking.request("rendezvous-discover", **where)
        [found] = answer["found"]
        assert found["peer"] == registered.id
        assert found["addresses"] == external
        again = await asking.request("rendezvous-discover", **where, cookie=answer["cookie"])
        assert again["found"] == []
        await registered.request("rendezvous-unregister", **where)
        with anyio.fail_after(EVENT_SECONDS):  # a point does not answer that
            while (await asking.request("rendezvous-discover", **where))["found"]:
                await asking.ping(point.id)
        with pytest.raises(PeerError, match="external"):
            await asking.request("rendezvous-register", **where)


async def test_relay_carries_a_circuit_and_dcutr_replaces_it() -> None:
    # A relay tells a client only of external addresses, so it has to know one.
    async with peer("rust", relay={"server": True}) as probe:
        listen = [without_peer(probe.address)]
    async with (
        peer("rust", relay={"server": True}, listen=listen, external=listen) as relay,
        peer("rust", relay={}, dcutr={}) as behind,
        peer("rust", relay={}, dcutr={}) as dialer,
    ):
        circuit = f"{relay.address}/p2p-circuit"
        answer = await behind.request("listen", address=circuit)
        assert answer["addresses"] == [f"{circuit}/p2p/{behind.id}"]
        await behind.event("reserved", relay=relay.id, renewal=False)
        await behind.event("identified", peer=relay.id)
        await dialer.dial(relay.address)
        await dialer.event("identified", peer=relay.id)
        await dialer.dial(f"{circuit}/p2p/{behind.id}")
        punched = await dialer.event("hole-punched", peer=behind.id)
        assert punched["error"] is None
        addresses = [each["address"] for each in await dialer.connections()]
        assert any("p2p-circuit" not in address for address in addresses)


async def test_relay_refuses_more_reservations_than_its_limit() -> None:
    async with (
        peer("rust", relay={"server": True, "reservations": 0}) as relay,
        peer("rust", relay={}) as behind,
    ):
        with pytest.raises(PeerError, match="listener closed"):
            await behind.request("listen", address=f"{relay.address}/p2p-circuit")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_autonat_tells_a_client_that_it_is_reachable(version: str) -> None:
    async with (
        peer("rust", autonat={version: "server"}) as server,
        peer("rust", autonat={version: "client"}) as client,
    ):
        await client.dial(server.address)
        told = await client.event("reachability", reachable=True, by=version)
        assert told["address"].startswith("/ip4/127.0.0.1/tcp/")


async def test_a_peer_refuses_features_that_it_has_not() -> None:
    with pytest.raises(PeerError) as no_service:
        async with peer("rust", mdns={"service": "other"}):
            pass
    assert no_service.value.kind == "unsupported"
    async with peer("rust") as plain:
        with pytest.raises(PeerError) as is_off:
            await plain.request("subscribe", topic=TOPIC)
        assert is_off.value.kind == "bad-request"


def without_peer(address: str) -> str:
    return address.partition("/p2p/")[0]


async def subscribe(here: Peer, there: Peer) -> None:
    for party in (here, there):
        await party.request("subscribe", topic=TOPIC)
    await here.event("subscribed", peer=there.id, topic=TOPIC)
    await there.event("subscribed", peer=here.id, topic=TOPIC)
