"""Gossipsub with other implementations: seen, meshed and heard, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import PeerId
from peerloom.testing import Nodes, until
from peerloom_gossipsub import Gossipsub, Message, PeerSubscribed, PeerUnsubscribed
from tests.interop.driver import peer
from tests.interop.pattern import pattern as chunks
from tests.interop.pattern import pattern_sha256

if TYPE_CHECKING:
    from tests.interop.driver import Peer

TOPIC = "news"
SEED = 7
SIZES = (0, 1000, 100_000, 1024 * 1024 - 1000)
LIMIT_SECONDS = 60.0
IDS = {"js": "js", "go": "go", "rust": "rust"}


def pattern(seed: int, count: int) -> bytes:
    return b"".join(chunks(seed, count))


@pytest.mark.parametrize("kind", ["js", "go", "rust"])
@pytest.mark.parametrize("dialler", ["we", "they"])
async def test_both_sides_mesh_and_hear_each_other(kind: str, dialler: str) -> None:
    settings = {"gossipsub": {"message_id": IDS[kind]}}
    with anyio.fail_after(LIMIT_SECONDS):
        async with peer(kind, gossipsub={}) as other, Nodes() as nodes:
            [node] = await nodes(settings=settings)
            client, them = Gossipsub(node.client), PeerId.from_string(other.id)
            heard = nodes.record(node, Message, PeerSubscribed, PeerUnsubscribed)
            await client.subscribe(TOPIC)
            if dialler == "we":
                await node.client.dial(other.address)
            else:
                await other.dial(str(node.addresses[0]))
            await other.subscribe(TOPIC)
            await heard.next(PeerSubscribed, lambda event: event.peer == them)
            await other.event("subscribed", peer=str(node.peer_id), topic=TOPIC)
            await meshed(client, other, them, node.peer_id)
            for nbytes in SIZES:
                published = await client.publish(TOPIC, pattern(SEED, nbytes))
                digest = pattern_sha256(SEED, nbytes)
                told = await other.event("message", topic=TOPIC, sha256=digest)
                assert told["author"] == str(node.peer_id)
                # The id that it made itself: gossip only works where both make the same.
                assert told["message"] == published.message_id.hex()
            for nbytes in SIZES:
                await other.publish(TOPIC, nbytes, SEED + 1)
                message = await heard.next(Message)
                assert (message.data, message.source) == (pattern(SEED + 1, nbytes), them)
            await other.unsubscribe(TOPIC)
            await heard.next(PeerUnsubscribed, lambda event: event.peer == them)
            await other.subscribe(TOPIC)
            await heard.next(PeerSubscribed, lambda event: event.peer == them)
            await client.publish(TOPIC, pattern(SEED + 2, 10))
            await other.event("message", topic=TOPIC, sha256=pattern_sha256(SEED + 2, 10))


async def meshed(client: Gossipsub, other: Peer, them: PeerId, us: PeerId) -> None:
    await until(lambda: client.mesh_peers(TOPIC), lambda peers: them in peers, within=10)
    await until(lambda: other.mesh(TOPIC), lambda peers: str(us) in peers, within=10)


@pytest.mark.parametrize("kind", ["js", "go", "rust"])
async def test_messages_pass_through_us_between_two_of_them(kind: str) -> None:
    settings = {"gossipsub": {"message_id": IDS[kind]}}
    with anyio.fail_after(LIMIT_SECONDS):
        async with (
            peer(kind, gossipsub={}) as first,
            peer(kind, gossipsub={}) as second,
            Nodes() as nodes,
        ):
            [node] = await nodes(settings=settings)
            client = Gossipsub(node.client)
            await client.subscribe(TOPIC)
            for other in (first, second):
                await node.client.dial(other.address)
                await other.subscribe(TOPIC)
                await meshed(client, other, PeerId.from_string(other.id), node.peer_id)
            for author, reader in ((first, second), (second, first)):
                await author.publish(TOPIC, 1000, SEED)
                told = await reader.event("message", topic=TOPIC)
                assert (told["author"], told["from"]) in {
                    (author.id, str(node.peer_id)),
                    (author.id, None),
                }


@pytest.mark.parametrize("kind", ["js", "go", "rust"])
async def test_messages_pass_through_one_of_them_between_two_of_us(kind: str) -> None:
    settings = {"gossipsub": {"message_id": IDS[kind]}}
    with anyio.fail_after(LIMIT_SECONDS):
        async with peer(kind, gossipsub={}) as middle, Nodes() as nodes:
            ends = await nodes(2, settings=settings)
            heard = [nodes.record(end, Message) for end in ends]
            await middle.subscribe(TOPIC)
            for end in ends:
                client = Gossipsub(end.client)
                await client.subscribe(TOPIC)
                await end.client.dial(middle.address)
                await meshed(client, middle, PeerId.from_string(middle.id), end.peer_id)
            await Gossipsub(ends[0].client).publish(TOPIC, b"through")
            message = await heard[1].next(Message)
            assert (message.source, message.data) == (ends[0].peer_id, b"through")
            assert message.received_from == PeerId.from_string(middle.id)
