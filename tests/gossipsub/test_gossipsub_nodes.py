"""Topics between real nodes."""

from __future__ import annotations

import anyio
import pytest

from peerloom import PeerConnected, StreamReset
from peerloom.testing import Nodes, no_leaks
from peerloom_gossipsub._actions import Verdict
from peerloom_gossipsub._client import Gossipsub
from peerloom_gossipsub._encode import framed
from peerloom_gossipsub._errors import NoPeersSubscribedToTopic
from peerloom_gossipsub._events import Message, PeerSubscribed
from peerloom_gossipsub._plugin import plugin
from peerloom_gossipsub._rpc import Subscription
from tests.gossipsub.foreign import MESHSUB, Ear, ForeignPlugin, say

LIMIT_SECONDS = 20.0


async def meshed(nodes, count):
    made = await nodes(count, plugins=[plugin])
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
        [node] = await nodes(plugins=[plugin])
        with pytest.raises(NoPeersSubscribedToTopic):
            await Gossipsub(node.client).publish("news", b"hello")


async def test_a_validator_decides_what_is_heard():
    async def judge(message):
        return Verdict.ACCEPT if message.data == b"good" else Verdict.REJECT

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            _, (at_ann, at_ben), (_, heard) = await meshed(nodes, 2)
            async with at_ben.validate("news", judge):
                await at_ann.publish("news", b"bad")
                await at_ann.publish("news", b"good")
                assert (await heard.next(Message)).data == b"good"


async def beside_a_foreigner(nodes):
    foreign = ForeignPlugin()
    [node] = await nodes(plugins=[plugin], settings={"gossipsub": {"heartbeat_seconds": 0.1}})
    [other] = await nodes(plugins=[foreign])
    client = Gossipsub(node.client)
    await client.subscribe("news")
    heard = nodes.record(node, Message, PeerSubscribed)
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
