"""Wrong arguments are refused where they are given, in words."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from peerloom.testing import Nodes, no_leaks
from peerloom_gossipsub import (
    Gossipsub,
    MeshPeers,
    Message,
    Publish,
    SetPeerScore,
    Subscribe,
    TopicTooLong,
)
from peerloom_gossipsub._rpc import MAX_TOPIC_BYTES
from tests.gossipsub.peers import peer


@pytest.mark.parametrize("topic", [b"news", None, 7])
@pytest.mark.parametrize("command", [Subscribe, MeshPeers, lambda topic: Publish(topic, b"")])
def test_a_topic_is_text(command, topic):
    with pytest.raises(TypeError, match=r"topic must be text \(str\), not"):
        command(topic)


@pytest.mark.parametrize(
    ("data", "why"), [("hello", "not str: encode it"), (None, "not NoneType"), (5, "not int")]
)
def test_data_is_bytes(data, why):
    with pytest.raises(TypeError, match=f"data must be bytes, {why}"):
        Publish("news", data)


def test_a_peer_is_a_peer_id_or_its_text_and_a_score_a_finite_number():
    assert SetPeerScore(str(peer(1)), -2) == SetPeerScore(peer(1), -2.0)
    with pytest.raises(ValueError, match="neither"):
        SetPeerScore("garbage", 1.0)
    with pytest.raises(TypeError, match="peer must be a PeerId or its text, not 5"):
        SetPeerScore(5, 1.0)
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="score must be finite"):
            SetPeerScore(peer(1), number)
    things: tuple[Any, ...] = ("1", None, True)
    for thing in things:
        with pytest.raises(TypeError, match="score must be a number"):
            SetPeerScore(peer(1), thing)


async def test_whatever_has_bytes_may_be_published_and_a_node_is_not_its_client():
    with anyio.fail_after(20):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await nodes(2)
            wrong: Any = ann
            with pytest.raises(TypeError, match=r"write Gossipsub\(node\.client\)"):
                Gossipsub(wrong)
            at_ann, at_ben = Gossipsub(ann.client), Gossipsub(ben.client)
            heard = nodes.record(ben, Message)
            await at_ben.subscribe("news")
            await nodes.connect(ann, ben)
            await at_ann.wait_for_peers("news")
            for data in (bytearray(b"one"), memoryview(b"two")):
                await at_ann.publish("news", data)
            assert {(await heard.next(Message)).data for _ in range(2)} == {b"one", b"two"}


@pytest.mark.parametrize("command", [Subscribe, lambda topic: Publish(topic, b"")])
def test_a_topic_that_others_would_not_read_is_refused(command):
    assert command("t" * MAX_TOPIC_BYTES).topic
    with pytest.raises(TopicTooLong):
        command("é" * (MAX_TOPIC_BYTES // 2 + 1))
