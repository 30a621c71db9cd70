"""Topics between real nodes."""

from __future__ import annotations

import anyio
import pytest

from peerloom import PeerConnected, StreamReset
from peerloom._config import PluginSelection
from peerloom.testing import Nodes, no_leaks
from peerloom_gossipsub import (
    Gossipsub,
    Message,
    NoPeersSubscribedToTopic,
    PeerSubscribed,
    SlowPeer,
    Verdict,
)
from peerloom_gossipsub._encode import framed
from peerloom_gossipsub._rpc import Subscription
from tests.gossipsub.foreign import MESHSUB, Ear, ForeignPlugin, say

LIMIT_SECONDS = 20.0
WITHOUT_OURS = PluginSelection(disabled=["gossipsub"])


async def meshed(nodes, count, **settings):
    made = await nodes(count, settings={"gossipsub": settings})
    clients = [Gossipsub(node.client) for node in made]
    heard = [nodes.record(node, Message, PeerSubscribed, PeerConnected) for node in made]
    for client in clients:
        await client.subscribe("news")
    for number, node in enumerate(made):
        await nodes.connect(node, *made[number + 1 :])
    for record in heard:
        for _ in range(count - 1):
            await record.next(PeerSubscribed)
    return made, clients, heard


async def test_a_message_is_heard_by_the_other_node():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            (ann, ben), (at_ann, _), (_, at_ben) = await meshed(nodes, 2)
            published = await at_ann.publish("news", b"hello")
            message = await at_ben.next(Message)

            assert (message.data, message.source) == (b"hello", ann.peer_id)
            assert message.message_id == published.message_id
            assert (published.sent, published.skipped) == (1, 0)
            assert await at_ann.subscribed_peers("news") == (ben.peer_id,)


async def test_a_burst_of_messages_reaches_everybody_once_and_in_full():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            _, clients, heard = await meshed(nodes, 4)
            sent = [number.to_bytes(4, "big") + bytes(1000) for number in range(300)]
            async with anyio.create_task_group() as tasks:
                for data in sent:
                    tasks.start_soon(clients[0].publish, "news", data)
            for record in heard[1:]:
                got = [(await record.next(Message)).data for _ in sent]
                assert sorted(got) == sent


async def test_without_subscribers_nothing_is_published():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        with pytest.raises(NoPeersSubscribedToTopic):
            await Gossipsub(node.client).publish("news", b"hello")


async def test_a_validator_decides_what_is_heard():
    async def judge(message):
        return Verdict.ACCEPT if message.data == b"good" else Verdict.REJECT

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            (ann, _), (at_ann, at_ben), (_, heard) = await meshed(nodes, 2)
            assert await at_ben.peer_scores() == {ann.peer_id: 0}
            async with at_ben.validate("news", judge):
                await at_ann.publish("news", b"bad")
                await at_ann.publish("news", b"good")
                assert (await heard.next(Message)).data == b"good"
            assert (await at_ben.peer_scores())[ann.peer_id] < 0


async def test_a_validator_that_fails_or_never_answers_has_ignored_the_message():
    async def judge(message):
        if message.data == b"raise":
            raise RuntimeError("on purpose")
        if message.data == b"sleep":
            await anyio.sleep_forever()
        return Verdict.ACCEPT

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            quick = {"validation_seconds": 0.1, "max_pending_messages": 1}
            _, (at_ann, at_ben), (_, heard) = await meshed(nodes, 2, **quick)
            async with at_ben.validate("news", judge):
                for data in (b"raise", b"sleep", b"sleep", b"sleep", b"good"):
                    await at_ann.publish("news", data)
                assert (await heard.next(Message)).data == b"good"


async def beside_a_foreigner(nodes, **settings):
    foreign = ForeignPlugin()
    settings = {"heartbeat_seconds": 0.1} | settings
    [node] = await nodes(settings={"gossipsub": settings})
    [other] = await nodes(plugins=[foreign], selection=WITHOUT_OURS)
    client = Gossipsub(node.client)
    await client.subscribe("news")
    heard = nodes.record(node, Message, PeerSubscribed, SlowPeer)
    await nodes.connect(other, node)
    voice = await other.client.open_stream(node.peer_id, MESHSUB)
    await say(voice, subscriptions=[Subscription("news", subscribed=True)])
    await heard.next(PeerSubscribed)
    return client, foreign, voice, heard


async def test_advisory_19_a_stream_that_the_other_side_resets_is_opened_again():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            client, foreign, _, _ = await beside_a_foreigner(nodes)
            for number in range(3):
                stream = await foreign.stream(number)
                ear = Ear(stream)
                assert (await ear.next("subscriptions")).topic == "news"
                await client.publish("news", bytes([number]))
                assert (await ear.next("messages")).data == bytes([number])
                stream.reset()


async def test_a_graft_by_hand_makes_a_mesh_and_bytes_that_are_no_rpc_end_the_stream():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            client, foreign, voice, _ = await beside_a_foreigner(nodes)
            ear = Ear(await foreign.stream(0))
            assert await ear.next("graft") == "news"
            assert len(await client.mesh_peers("news")) == 1
            await voice.send(framed(b"\xff" * 100))
            with pytest.raises(StreamReset):
                await voice.receive()


async def test_a_peer_that_does_not_read_is_skipped_and_told_of():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            bounds = {
                "slow_peer_seconds": 0.2,
                "max_queue_bytes": 500_000,
                "max_message_bytes": 500_000,
            }
            client, foreign, _, heard = await beside_a_foreigner(nodes, **bounds)
            await foreign.stream(0)
            skipped = 0
            while not skipped:
                published = await client.publish("news", bytes(300_000))
                skipped = published.skipped
            slow = await heard.next(SlowPeer)

            assert (published.sent, published.skipped) == (0, 1)
            assert slow.waiting_bytes <= 500_000


async def test_many_who_wait_for_a_slow_peer_all_get_their_turn():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            bounds = {"max_queue_bytes": 200_000, "max_message_bytes": 200_000}
            client, foreign, _, _ = await beside_a_foreigner(nodes, **bounds)
            ear = Ear(await foreign.stream(0))
            answers = []

            async def publish(number):
                answers.append(await client.publish("news", bytes([number]) * 150_000))

            async with anyio.create_task_group() as tasks:
                for number in range(30):
                    tasks.start_soon(publish, number)
                got = {(await ear.next("messages")).data[0] for _ in range(30)}
            assert got == set(range(30))
            assert all(each.sent == 1 for each in answers)
