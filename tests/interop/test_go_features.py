"""What the go peer does beyond the plays of `test_peers_features`, by go peers alone."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from .build import ToolchainMissing, command_of
from .driver import Peer, PeerError, peer
from .pattern import pattern_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from .party import Fields

SEED = 11
TOPIC = "news"
KEY = b"/test/greeting".hex()
MULTIHASH = (b"\x12\x20" + hashlib.sha256(b"content").digest()).hex()
_LOOK_SECONDS = 0.05


@asynccontextmanager
async def chain(*settings: dict[str, Any]) -> AsyncIterator[list[Peer]]:
    """Go peers, each of which has dialled the one before it."""
    async with AsyncExitStack() as stack:
        peers: list[Peer] = []
        for each in settings:
            started = await stack.enter_async_context(peer("go", **each))
            if peers:
                await started.dial(peers[-1].address)
                await started.event("identified", peer=peers[-1].id)
                await peers[-1].event("identified", peer=started.id)
            peers.append(started)
        yield peers


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(20):
        while True:
            if await found():
                return
            await anyio.sleep(_LOOK_SECONDS)


async def subscribe(peers: list[Peer]) -> None:
    """Subscribe all of a chain, and wait until neighbours are in each other's mesh."""
    for each in peers:
        await each.request("subscribe", topic=TOPIC)
    for one, other in pairwise(peers):
        for here, there in ((one, other), (other, one)):
            await here.event("subscribed", peer=there.id, topic=TOPIC)

            async def meshed(here: Peer = here, there: Peer = there) -> bool:
                return there.id in (await here.request("mesh", topic=TOPIC))["peers"]

            await until(meshed)


async def publish(by: Peer, nbytes: int = 1000) -> Fields:
    return await by.request("publish", topic=TOPIC, bytes=nbytes, seed=SEED)


async def test_go_passes_a_message_on() -> None:
    gossip = {"gossipsub": {"heartbeat_seconds": 0.1}}
    async with chain(gossip, gossip, gossip) as [first, middle, last]:
        await subscribe([first, middle, last])
        published = await publish(first)
        told = await last.event("message", topic=TOPIC)
        assert told["author"] == first.id
        assert told["from"] == middle.id
        assert told["message"] == published["message"]
        assert (told["bytes"], told["sha256"]) == (1000, pattern_sha256(SEED, 1000))
        assert (await middle.request("subscribers", topic=TOPIC))["peers"] != []
        await last.request("unsubscribe", topic=TOPIC)
        await middle.event("unsubscribed", peer=last.id, topic=TOPIC)


async def test_go_names_messages_by_their_data_and_leaves_them_unsigned() -> None:
    gossip = {"gossipsub": {"signing": "strict-no-sign", "message_id": "sha256"}}
    async with chain(gossip, gossip) as [first, last]:
        await subscribe([first, last])
        published = await publish(first)
        told = await last.event("message", topic=TOPIC)
        assert told["author"] is None
        assert told["message"] == published["message"] == pattern_sha256(SEED, 1000)


async def test_go_lets_no_rejected_message_through_and_scores_its_sender() -> None:
    settings = {"verdict": "reject", "scores": True, "heartbeat_seconds": 0.1}
    async with chain({"gossipsub": {}}, {"gossipsub": settings}) as [first, last]:
        await subscribe([first, last])
        await publish(first)

        async def punished() -> bool:
            return float((await last.request("score", peer=first.id))["score"]) < 0

        await until(punished)
        assert not [event for event in last.events if event["event"] == "message"]


async def test_go_finds_peers_values_and_providers() -> None:
    kad = {"kad": {"protocol": "/peerloom-test/kad/1.0.0"}}
    client = {"kad": {"protocol": "/peerloom-test/kad/1.0.0", "mode": "client"}}
    async with chain(kad, kad, client) as [first, middle, last]:

        async def known() -> bool:
            # At least: a table that fills itself asks the neighbour, and may find the other end.
            neighbours = ((first, middle), (middle, first), (last, middle))
            tables = [(await each.request("kad-table"))["peers"] for each, _ in neighbours]
            return all(
                other.id in table for table, (_, other) in zip(tables, neighbours, strict=True)
            )

        await until(known)
        await last.request("kad-bootstrap")
        found = await last.request("kad-find", peer=first.id)
        assert first.address.removesuffix(f"/p2p/{first.id}") in found["addresses"]
        closest = await last.request("kad-closest", key=KEY)
        assert set(closest["peers"]) == {first.id, middle.id}
        await first.request("kad-put", key=KEY, value=b"hello".hex())
        assert (await last.request("kad-get", key=KEY))["value"] == b"hello".hex()
        await first.request("kad-provide", key=MULTIHASH)
        assert (await last.request("kad-providers", key=MULTIHASH))["peers"] == [first.id]


async def test_go_prefers_the_greatest_value() -> None:
    async with chain({"kad": {}}, {"kad": {}}) as [first, last]:
        await first.request("kad-add", address=last.address)
        await first.request("kad-put", key=KEY, value="0a")
        with pytest.raises(PeerError, match="older value"):
            await first.request("kad-put", key=KEY, value="09")
        assert (await last.request("kad-get", key=KEY))["value"] == "0a"


async def test_go_relays_and_is_relayed_to() -> None:
    relay = {"relay": {"server": True, "reservation_seconds": 4}}
    async with chain(relay, {"relay": {}}, {"relay": {}, "listen": []}) as [server, there, here]:
        listening = f"{server.address}/p2p-circuit"
        [address] = (await there.request("listen", address=listening))["addresses"]
        assert address == f"{listening}/p2p/{there.id}"
        await there.event("reserved", relay=server.id, renewal=False)
        await server.event(
            "identified", peer=there.id, where=lambda told: listening in told["addresses"]
        )
        await here.disconnect(there.id)
        await there.event("disconnected", peer=here.id)
        await here.dial(address)
        [relayed] = [each for each in await here.connections() if each["peer"] == there.id]
        assert "/p2p-circuit" in relayed["address"]
        [echoed] = (await here.run("echo", there.id, 1000, SEED))["streams"]
        assert echoed["received_sha256"] == pattern_sha256(SEED, 1000)
        await there.event("reserved", relay=server.id, renewal=True)


async def test_go_announces_what_it_is_told_and_listens_where_it_is_told() -> None:
    external = "/ip4/10.1.2.3/tcp/4001"
    async with chain({"external": [external]}, {}) as [told, other]:
        known = await other.identify(told.id)
        assert external in known["addresses"]
        [added] = (await told.request("listen", address="/ip4/127.0.0.1/tcp/0"))["addresses"]
        addresses = (await told.request("listen-addresses"))["addresses"]
        assert set(addresses) == {told.address, added}
        await other.event(
            "identified",
            where=lambda event: added.removesuffix(f"/p2p/{told.id}") in event["addresses"],
        )


async def test_go_cuts_bytes_into_frames() -> None:
    async with chain({}, {}) as [accepter, opener]:
        sizes = [0, 1, 127, 128, 70_000, 1024 * 1024]
        answer = await opener.request("frames", peer=accepter.id, sizes=sizes, seed=SEED)
        assert answer["sizes"] == sizes
        expected = pattern_sha256(SEED, sum(sizes))
        assert answer["sent_sha256"] == answer["received_sha256"] == expected
        with pytest.raises(PeerError, match="reset"):
            await opener.request("frames", peer=accepter.id, sizes=[1024 * 1024 + 1], seed=SEED)


@pytest.mark.parametrize(
    "settings",
    [
        {"autonat": {"v2": "sometimes"}},
        {"gossipsub": {"signing": "loose"}},
    ],
)
async def test_go_refuses_what_it_does_not_have(settings: Fields) -> None:
    with pytest.raises(PeerError) as refusal:
        async with peer("go", **settings):
            pass
    assert refusal.value.kind == "unsupported"


async def test_go_refuses_a_feature_that_is_not_on_and_a_switch_that_is_not_there() -> None:
    async with peer("go") as running:
        for do in ("mesh", "subscribers"):
            with pytest.raises(PeerError) as refusal:
                await running.request(do, topic=TOPIC)
            assert refusal.value.kind == "unsupported"
    with pytest.raises(PeerError) as unknown:
        async with peer("go", kad={"colour": "red"}):
            pass
    assert unknown.value.kind == "bad-request"


def test_go_is_missed_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolchainMissing, match=r"install Go 1\.\d+\.\d+ or newer"):
        command_of("go")


def test_go_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.20.3\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainMissing, match=r"this is 1\.20\.3"):
        command_of("go")
