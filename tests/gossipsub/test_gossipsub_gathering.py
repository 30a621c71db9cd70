"""Messages that follow each other closely leave together; one that comes alone leaves at once."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom_gossipsub import Gossipsub
from peerloom_gossipsub._decode import decode_rpc
from peerloom_gossipsub._encode import encode_rpc, framed
from peerloom_gossipsub._frames import FrameDecoder
from peerloom_gossipsub._plugin import GossipsubPlugin
from peerloom_gossipsub._rpc import Rpc, Subscription
from tests.gossipsub.foreign import LIMITS, MESHSUB

TOPIC = "t"
MESSAGES = 64


class Reader:
    """A peer that is always there to read: what comes at a time was written at a time."""

    def __init__(self):
        self.pieces = []
        self._decoder = FrameDecoder(2**22)

    async def serve(self, stream):
        while True:
            rpcs = [decode_rpc(each, LIMITS) for each in self._decoder.feed(await stream.receive())]
            if data := [message.data for rpc in rpcs for message in rpc.messages]:
                self.pieces.append(data)

    @property
    def heard(self):
        return [data for piece in self.pieces for data in piece]

    async def wait_for(self, count):
        """Let others run until so many messages are here; gives for how many turns."""
        turns = 0
        while len(self.heard) < count:
            await checkpoint()
            turns += 1
        return turns


@pytest.fixture
def publishing(plugins):
    """A node on a bench, where time stands still by itself, and the reader of what it publishes."""

    @asynccontextmanager
    async def running():
        reader = Reader()
        with anyio.fail_after(10):
            async with plugins.running(GossipsubPlugin()) as bench:
                peer = bench.swarm.add_peer("reader", serves={MESHSUB: reader.serve})
                stream = await peer.open_stream(MESHSUB)
                told = Rpc(subscriptions=[Subscription(TOPIC, subscribed=True)])
                await stream.send(b"".join(map(framed, encode_rpc(told))))
                await bench.settle()
                yield bench, Gossipsub(bench.client), reader

    return running


async def test_messages_in_quick_succession_leave_together_each_once_and_in_order(publishing):
    async with publishing() as (_, gossip, reader):
        sent = [number.to_bytes(2, "big") for number in range(MESSAGES)]
        for data in sent:
            await gossip.publish(TOPIC, data)
        await reader.wait_for(MESSAGES)
        assert reader.heard == sent
        assert len(reader.pieces) <= MESSAGES / 2


async def test_a_message_after_a_while_waits_for_no_other(publishing):
    async with publishing() as (bench, gossip, reader):
        await gossip.publish(TOPIC, b"first")
        await reader.wait_for(1)
        await gossip.publish(TOPIC, b"close behind")
        close_behind = await reader.wait_for(2)
        await bench.advance(0.1)
        await gossip.publish(TOPIC, b"after a while")
        assert await reader.wait_for(3) < close_behind
