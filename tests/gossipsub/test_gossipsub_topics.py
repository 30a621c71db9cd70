"""Topics as an application names, joins and leaves them."""

from __future__ import annotations

import anyio
import base58
import pytest

from peerloom import Event, NodeClosed
from peerloom.plugin import TopicJoined, TopicLeft
from peerloom.testing import Nodes, no_leaks
from peerloom_gossipsub import Gossipsub, Message, Subscribed, Unsubscribed, context_topic
from peerloom_gossipsub._outbound import MAX_CONTROL_BYTES
from peerloom_gossipsub._rpc import MAX_TOPIC_BYTES

LIMIT_SECONDS = 20.0
CONTEXT = "3TgfyRf8LoDcKRZzXVgUkDdWfMPt3cBXhYwLqzZXyNwr"


def test_the_topic_of_a_context_is_the_text_of_its_id():
    assert context_topic(CONTEXT) == CONTEXT
    assert context_topic(base58.b58decode(CONTEXT)) == CONTEXT
    assert context_topic(bytes(32)) == 32 * "1"


@pytest.mark.parametrize("wrong", [None, 7, object()])
def test_what_is_no_context_id_has_no_topic(wrong):
    with pytest.raises(TypeError, match="a context id is text or 32 bytes, not"):
        context_topic(wrong)


@pytest.mark.parametrize("wrong", ["", b"", bytes(31), CONTEXT.encode()])
def test_a_context_id_is_not_empty_and_its_bytes_are_so_many(wrong):
    with pytest.raises(ValueError, match="a context id"):
        context_topic(wrong)


async def test_members_of_a_context_meet_in_the_topic_of_its_id():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben, stranger = await nodes(3)
            await nodes.connect(ann, ben, stranger)
            heard = nodes.record(ben, Message)
            await Gossipsub(ben.client).subscribe(context_topic(base58.b58decode(CONTEXT)))
            await Gossipsub(stranger.client).subscribe(context_topic("another"))
            assert await Gossipsub(ann.client).wait_for_peers(CONTEXT) == (ben.peer_id,)
            published = await Gossipsub(ann.client).publish(context_topic(CONTEXT), b"to members")

            assert published.sent == 1
            assert (await heard.next(Message)).topic == CONTEXT


async def test_subscribing_and_leaving_are_told_once_each():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        heard = nodes.record(node, Subscribed, Unsubscribed, TopicJoined, TopicLeft)
        gossip = Gossipsub(node.client)

        assert [await gossip.subscribe("news") for _ in range(2)] == [True, False]
        assert [await gossip.unsubscribe("news") for _ in range(2)] == [True, False]
        assert [await heard.next(Event) for _ in range(4)] == [
            *(TopicJoined("news"), Subscribed("news")),
            *(TopicLeft("news"), Unsubscribed("news")),
        ]


async def test_meshes_are_told_by_topic():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await nodes(2)
            await nodes.connect(ann, ben)
            clients = [Gossipsub(node.client) for node in (ann, ben)]
            for client in clients:
                await client.subscribe("news")
            assert await clients[0].wait_for_peers("news") == (ben.peer_id,)

            assert await clients[0].mesh_stats() == {"news": 1}
            assert await clients[0].mesh_peers("news") == (ben.peer_id,)
            assert await clients[0].mesh_peers("weather") == ()


async def test_waiting_for_peers_ends_with_the_node():
    async with no_leaks(), anyio.create_task_group() as tasks, Nodes() as nodes:
        [node] = await nodes()

        async def wait():
            with pytest.raises(NodeClosed):
                await Gossipsub(node.client).wait_for_peers("news")

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await nodes.stop(node)


async def test_topics_whose_names_fill_more_than_a_queue_for_control_are_all_told():
    topics = [f"{number:0{MAX_TOPIC_BYTES}}" for number in range(1100)]
    assert sum(map(len, topics)) > MAX_CONTROL_BYTES
    settings = {"gossipsub": {"max_topics_per_peer": len(topics)}}
    with anyio.fail_after(2 * LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await nodes(2, settings=settings)
            for topic in topics:
                await Gossipsub(ann.client).subscribe(topic)
            await nodes.connect(ann, ben)
            at_ben = Gossipsub(ben.client)
            for topic in topics:
                assert await at_ben.wait_for_peers(topic) == (ann.peer_id,)
