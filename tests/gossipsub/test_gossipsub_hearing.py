"""`Gossipsub.messages`: a topic heard by parts of a program that know nothing of each other."""

from __future__ import annotations

import logging

import anyio
import pytest

from peerloom import Event, NetworkConfig
from peerloom._subscriptions import QUEUE_BOUND
from peerloom.blocking import Node as BlockingNode
from peerloom.testing import Nodes, no_leaks
from peerloom_gossipsub import Gossipsub, Message, Subscribed, TopicTooLong, Unsubscribed

LIMIT_SECONDS = 30.0
HASTY = {"gossipsub": {"slow_subscriber_seconds": 0.05}}
TOTAL = QUEUE_BOUND + 100


async def test_a_block_hears_its_topic_and_no_other():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = [Gossipsub(node.client) for node in await nodes(2, connected=True)]
            async with ben.messages("weather") as weather, ben.messages("news") as news:
                for topic in ("weather", "news"):
                    await ann.wait_for_peers(topic)
                    await ann.publish(topic, topic.encode())
                assert [(await anext(one)).data for one in (news, weather)] == [b"news", b"weather"]


async def test_a_topic_is_left_with_the_last_block_that_hears_it():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            [node] = await nodes()
            gossip = Gossipsub(node.client)
            heard = nodes.record(node, Subscribed, Unsubscribed)
            async with gossip.messages("news"):
                async with Gossipsub(node.client).messages("news"):
                    pass
                assert await gossip.mesh_stats() == {"news": 0}
            assert await gossip.mesh_stats() == {}
            assert [await heard.next(Event) for _ in range(2)] == [
                Subscribed("news"),
                Unsubscribed("news"),
            ]


async def test_blocks_and_subscriptions_do_not_end_each_other():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        gossip = Gossipsub(node.client)
        async with gossip.messages("news"):
            assert await gossip.subscribe("news")
            assert await gossip.unsubscribe("news")
            assert await gossip.mesh_stats() == {"news": 0}
            assert not await gossip.unsubscribe("news")
            await gossip.subscribe("news")
        assert await gossip.mesh_stats() == {"news": 0}


async def test_a_block_that_is_cancelled_leaves_its_topic():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        gossip = Gossipsub(node.client)
        with anyio.CancelScope() as scope:
            async with gossip.messages("news") as messages:
                scope.cancel()
                await anext(messages)
        assert await gossip.mesh_stats() == {}


async def test_a_topic_that_is_too_long_is_not_heard():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        with pytest.raises(TopicTooLong):
            async with Gossipsub(node.client).messages("x" * 100_000):
                pytest.fail("it was entered")


async def test_a_block_outlives_its_node_and_its_messages_end():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        async with Gossipsub(node.client).messages("news") as messages:
            await nodes.stop(node)
            assert [message async for message in messages] == []


async def test_a_slow_reader_gets_messages_only_and_a_warning_once(caplog):
    with anyio.fail_after(LIMIT_SECONDS), caplog.at_level(logging.WARNING, "peerloom.gossipsub"):
        async with no_leaks(), Nodes() as nodes:
            [sender] = await nodes()
            [reader] = await nodes(settings=HASTY)
            await nodes.connect(sender, reader)
            ann, heard = Gossipsub(sender.client), nodes.record(reader, Message)
            async with Gossipsub(reader.client).messages("news") as slow:
                await ann.wait_for_peers("news")
                for _ in range(2):
                    for _ in range(TOTAL):
                        await ann.publish("news", b"hello")
                    for _ in range(TOTAL):
                        await heard.next(Message)
                    before = slow.missed
                    assert (await anext(slow)).data == b"hello"
                    assert slow.missed > before
    warnings = [one for one in caplog.messages if "too slow" in one]
    assert len(warnings) == 1
    assert "'news'" in warnings[0]


def test_a_program_without_async_hears_a_topic():
    place = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"])
    with BlockingNode(place) as ann, BlockingNode() as ben:
        ben.client.dial(ann.addresses[0])
        to_ben, to_ann = Gossipsub(ann.async_client), Gossipsub(ben.async_client)
        with ben.enter(to_ann.messages("news")) as messages:
            ann.run(to_ben.wait_for_peers, "news", timeout=LIMIT_SECONDS)
            ann.run(to_ben.publish, "news", b"hello")
            assert next(ben.iterate(messages)).data == b"hello"
