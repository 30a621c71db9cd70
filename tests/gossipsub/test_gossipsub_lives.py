"""A plugin that has failed and is built anew knows what the application has asked for."""

from __future__ import annotations

import pytest

from peerloom import NetworkConfig, PluginFailed
from peerloom.testing import Recorder
from peerloom_gossipsub import Gossipsub, Message, Verdict
from peerloom_gossipsub._behaviour import GossipsubBehaviour
from tests.gossipsub.simulated import beats, counts, member, simulate

BEAT = GossipsubBehaviour._beat


@pytest.fixture
def fail(monkeypatch):
    """Let the next heartbeat of a node fail."""

    def fail(node):
        def beat(behaviour):
            if behaviour._ctx.local_peer == node.peer_id:
                monkeypatch.setattr(GossipsubBehaviour, "_beat", BEAT)
                raise RuntimeError("on purpose")
            BEAT(behaviour)

        monkeypatch.setattr(GossipsubBehaviour, "_beat", beat)

    return fail


async def judge(message):
    return Verdict.REJECT if message.data == b"bad" else Verdict.ACCEPT


def lenient(network):
    return network.node(plugins=["gossipsub"], config=NetworkConfig(strict=False))


async def restarted(node, fail):
    with Recorder(node.client, PluginFailed) as failures:
        fail(node)
        await failures.next(PluginFailed)
    await beats(5)


def test_after_a_restart_messages_are_heard_and_judged_as_before(anyio_backend_name, fail):
    async def scenario(network):
        ann, ben = await member(network).start(), await lenient(network).start()
        at_ann, at_ben = Gossipsub(ann.client), Gossipsub(ben.client)
        await ann.dial(ben)
        for client in (at_ann, at_ben):
            await client.subscribe("news")
        await at_ben.wait_for_peers("news")
        await at_ben.set_peer_score(ann.peer_id, -7)
        with Recorder(ben.client, Message) as heard:
            async with at_ben.validate("news", judge):
                await restarted(ben, fail)
                assert not await at_ben.subscribe("news")
                for data in (b"bad", b"good"):
                    await at_ann.publish("news", data)
                assert (await heard.next(Message)).data == b"good"
                assert (await counts(ben))["message reject"] == 1
                assert await at_ben.subscribed_peers("news") == (ann.peer_id,)
                assert await at_ben.mesh_peers("news") == ()
            await at_ann.publish("news", b"bad")
            assert (await heard.next(Message)).data == b"bad"

    simulate(anyio_backend_name, scenario)


def test_what_is_left_or_ended_before_or_during_a_restart_stays_so(anyio_backend_name, fail):
    async def scenario(network):
        ann, ben = await member(network).start(), await lenient(network).start()
        at_ann, at_ben = Gossipsub(ann.client), Gossipsub(ben.client)
        await ann.dial(ben)
        await at_ben.subscribe("news")
        await at_ben.subscribe("left")
        await at_ben.unsubscribe("left")
        with Recorder(ben.client, Message, PluginFailed) as heard:
            async with at_ben.validate("news", judge):
                await at_ann.wait_for_peers("news")
                async with at_ben.messages("weather"):
                    fail(ben)
                    await heard.next(PluginFailed)
            await beats(5)
            assert await at_ben.mesh_stats() == {"news": 0}
            await at_ann.publish("news", b"bad")
            assert (await heard.next(Message)).data == b"bad"

    simulate(anyio_backend_name, scenario)
