"""The rows of the matrix about gossipsub; README.md says how they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from peerloom import KeyPair, PeerId
from peerloom.testing import until
from peerloom_gossipsub import Degrees, Message, Verdict

from .gossip import (
    BACKOFF_SECONDS,
    TOPIC,
    GossipRow,
    data_of,
    meshed,
    subscribe_both,
    they_hear,
)
from .pattern import pattern_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from .driver import Peer
    from .gossip import Cast, Play, Us

SEED: Final = 20_261_126
# The last is 1 MiB, less what author, number, topic, key and signature take, and an RPC.
SIZES: Final = (0, 1000, 100_000, 1024 * 1024 - 1000)
SILENCE_SECONDS: Final = 75
# One peer is a full mesh, or two: whoever comes then is told of messages, and not sent them.
ONE_PEER: Final = Degrees(wanted=1, low=1, high=1, score=1, out=0)
TWO_PEERS: Final[dict[str, Any]] = {"d": 2, "d_low": 2, "d_high": 2, "d_out": 0}  # go's least
BRISK: Final = 0.2
# IDONTWANT is said of the first and not of the second; js-libp2p says it from 512 bytes on.
LARGE, SMALL = 20_000, 200
MARKS: Final = "marks"  # a topic that their author does not hear, for what only orders events
# py-libp2p floods nothing and tells nobody of a message whom it may not graft yet, so that it is
# lost (libp2p/pubsub/gossipsub.py, _handle_topic_heartbeat).
SILENT_IN_BACKOFF: Final = ("py",)

GOSSIP: Final[list[GossipRow]] = []


def row(name: str, *, is_long: bool = False) -> Callable[[Play], Play]:
    """Add a row to the matrix, over TCP and over QUIC."""

    def add(play: Play) -> Play:
        for transport, prefix in (("tcp", ""), ("quic", "quic: ")):
            GOSSIP.append(GossipRow(f"{prefix}gossipsub: {name}", play, transport, is_long))
        return play

    return add


async def _together(cast: Cast, ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[Us, Peer]:
    us, them = await cast.us(**ours), await cast.them(**theirs)
    await cast.meet(us, them)
    await subscribe_both(us, them)
    return us, them


async def _both_hear(us: Us, them: Peer, nbytes: int, seed: int) -> None:
    ours = await us.publish(nbytes, seed)
    assert (await they_hear(them, us, nbytes, seed))["message"] == ours
    theirs = await them.publish(TOPIC, nbytes, seed)
    message = await us.hears(them, nbytes, seed)
    assert theirs in (message.message_id.hex(), None)  # js-libp2p tells of no id but a hash's


@row("mesh, and messages from empty to 1 MiB")
async def _messages(cast: Cast) -> None:
    us, them = await _together(cast, {}, {})
    for nbytes in SIZES:
        await _both_hear(us, them, nbytes, SEED)


@row("without signatures, known by their hash")
async def _anonymous(cast: Cast) -> None:
    us, them = await _together(
        cast,
        {"signing": "strict-no-sign", "message_id": "data-hash"},
        {"signing": "strict-no-sign", "message_id": "sha256"},
    )
    digest = pattern_sha256(SEED, 1000)
    assert await us.publish(1000, SEED) == digest
    told = await them.event("message", sha256=digest)
    assert (told["message"], told["author"]) == (digest, None)
    digest = pattern_sha256(SEED, 1001)
    assert await them.publish(TOPIC, 1001, SEED) == digest
    message = await us.hears(None, 1001, SEED)
    assert message.message_id.hex() == digest


@row("flushed, and then another message")
async def _flushed(cast: Cast) -> None:
    """The last flush ends the stream; what comes after it all the same takes another one."""
    us, them = await _together(cast, {}, {})
    for nbytes, is_last in ((100_000, False), (100_001, True)):
        await us.publish(nbytes, SEED)
        flushed = await us.gossip.flush(is_last=is_last)
        assert (flushed.reached, flushed.missed) == (1, 0)
        await they_hear(them, us, nbytes, SEED)
    await _both_hear(us, them, 1000, SEED)


@row("through us, between two of them")
async def _through_us(cast: Cast) -> None:
    us, first = await _together(cast, {}, {})
    second = await cast.them()
    await cast.meet(us, second)
    await subscribe_both(us, second)
    for author, reader in ((first, second), (second, first)):
        await author.publish(TOPIC, 1000, SEED)
        assert (await they_hear(reader, author, 1000, SEED))["from"] in (str(us.id), None)


@row("through one of them, between two of us")
async def _through_them(cast: Cast) -> None:
    first, middle = await _together(cast, {}, {})
    second = await cast.us()
    await cast.meet(second, middle)
    await subscribe_both(second, middle)
    for author, reader in ((first, second), (second, first)):
        await author.publish(1000, SEED)
        assert (await reader.hears(author, 1000, SEED)).received_from == PeerId.from_string(
            middle.id
        )


@row("by IHAVE and IWANT alone")
async def _gossip_alone(cast: Cast) -> None:
    us = await cast.us(degrees=ONE_PEER, flood_publish=False, heartbeat_seconds=BRISK)
    them = await cast.them(**TWO_PEERS, flood_publish=False, heartbeat_seconds=BRISK)
    ours, *theirs = [await cast.us() for _ in range(3)]  # who fill each one's mesh
    await us.node.client.dial(ours.address)
    for each in (us, ours):
        await each.gossip.subscribe(TOPIC)
    await until(lambda: us.gossip.mesh_peers(TOPIC), lambda mesh: mesh == (ours.id,))
    for each in theirs:
        await each.node.client.dial(them.address)
        await subscribe_both(each, them)
    await cast.meet(us, them)
    await us.hears_of(them)
    await them.event("subscribed", peer=str(us.id), topic=TOPIC)

    published = await us.publish(1000, SEED)
    assert (await they_hear(them, us, 1000, SEED))["message"] == published
    await them.publish(TOPIC, 1000, SEED)
    await us.hears(them, 1000, SEED)
    counts = await us.counts()
    assert {"message given on request", "message asked for"} <= counts.keys()
    assert await us.gossip.mesh_peers(TOPIC) == (ours.id,)
    assert set(await them.mesh(TOPIC)) == {str(each.id) for each in theirs}


@row("IDONTWANT, said and heeded")
async def _idontwant(cast: Cast) -> None:
    """An author sends us two messages, and them later, when we have still to judge ours.

    Of the large one we and they have said that we do not want it: it is not sent between us.
    """
    us, them = await _together(cast, {"validation_seconds": 60}, {"heartbeat_seconds": 20})
    await subscribe_both(us, them, MARKS)
    author = await cast.us(
        degrees=ONE_PEER,
        flood_publish=False,
        heartbeat_seconds=BRISK,
        history_heartbeats=500,
        gossip_heartbeats=500,
    )
    await author.gossip.subscribe(TOPIC)
    await us.node.client.dial(author.address)
    await until(lambda: author.gossip.mesh_peers(TOPIC), lambda mesh: mesh == (us.id,))
    released, held = anyio.Event(), set()

    async def judge(message: Message) -> Verdict:
        if message.source == author.id:
            held.add(len(message.data))
            await released.wait()
        return Verdict.ACCEPT

    async with us.gossip.validate(TOPIC, judge):
        for nbytes in (LARGE, SMALL):
            await author.publish(nbytes, SEED)
        await until(lambda: held == {LARGE, SMALL})
        await us.publish(1, SEED, MARKS)
        await they_hear(them, us, 1, SEED)  # so they have heard our IDONTWANT
        await them.dial(author.address)
        for nbytes in (LARGE, SMALL):
            await they_hear(them, author, nbytes, SEED)
        await them.publish(MARKS, 2, SEED)
        await us.hears(them, 2, SEED)  # so we have all that they have sent on, and their IDONTWANT
        assert (await us.counts())["message repeated"] == 1
        released.set()
        for nbytes in (LARGE, SMALL):
            assert (await us.hears(author, nbytes, SEED)).received_from == author.id
        assert (await us.counts())["message not wanted"] == 1


@row("they are killed, and come back under the same id")
async def _they_restart(cast: Cast) -> None:
    secret = "17" * 32
    us = await cast.us()
    first = await cast.them(secret=secret)
    await cast.meet(us, first)
    await subscribe_both(us, first)
    first.kill()
    second = await cast.them(secret=secret)
    assert second.id == first.id
    await second.dial(us.address)
    await second.subscribe(TOPIC)
    await meshed(us, second)
    await _both_hear(us, second, 1000, SEED)


@row("they come back under the same id while their old connection stands")
async def _they_restart_unseen(cast: Cast) -> None:
    secret = "23" * 32
    us = await cast.us()
    first = await cast.them(secret=secret)
    await cast.meet(us, first)
    await subscribe_both(us, first)
    with first.frozen():
        second = await cast.them(secret=secret)
        await second.dial(us.address)
        await second.subscribe(TOPIC)
        await meshed(us, second)
        await _both_hear(us, second, 1000, SEED)


@row("we come back under the same id")
async def _we_restart(cast: Cast) -> None:
    identity = KeyPair.from_seed(b"\x23" * 32)
    them = await cast.them()
    for seed in (SEED, SEED + 1):
        us = await cast.us(identity=identity)
        await cast.meet(us, them)
        await subscribe_both(us, them)
        await _both_hear(us, them, 1000, seed)
        await cast.nodes.stop(us.node)
        await them.event("disconnected", peer=str(us.id))


@row("unsubscribe and subscribe again at once", is_long=True)
async def _resubscribe(cast: Cast) -> None:
    us, them = await _together(cast, {}, {})
    await us.gossip.unsubscribe(TOPIC)
    await them.event("unsubscribed", peer=str(us.id), topic=TOPIC)
    await us.gossip.subscribe(TOPIC)
    await us.publish(1, SEED)
    await they_hear(them, us, 1, SEED)
    await _come_back(us, them, SEED)
    await them.unsubscribe(TOPIC)
    await us.hears_leaving(them)
    await them.subscribe(TOPIC)
    await us.hears_of(them)
    await _come_back(us, them, SEED + 1)
    if cast.kind in SILENT_IN_BACKOFF:
        lost = data_of(SEED + 1, 1000)
        await us.heard.nothing(Message, lambda message: message.data == lost)


async def _come_back(us: Us, them: Peer, seed: int) -> None:
    """Messages pass although no mesh may be there yet; then it is there again."""
    await us.publish(1000, seed)
    await they_hear(them, us, 1000, seed)
    await them.publish(TOPIC, 1000, seed)
    if them.kind not in SILENT_IN_BACKOFF:
        await us.hears(them, 1000, seed)
    await meshed(us, them, within=BACKOFF_SECONDS)
    await _both_hear(us, them, 1001, seed)


@row("75 s of silence, and then a message", is_long=True)
async def _silence(cast: Cast) -> None:
    us, them = await _together(cast, {}, {})
    await anyio.sleep(SILENCE_SECONDS)
    await _both_hear(us, them, 1000, SEED)
    assert await us.counts() == {"message accept": 1}
