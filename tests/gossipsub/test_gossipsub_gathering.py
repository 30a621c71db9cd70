"""What follows each other closely leaves together; what comes alone leaves at once."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom import KeyPair
from peerloom_gossipsub import Gossipsub
from peerloom_gossipsub._decode import decode_rpc
from peerloom_gossipsub._encode import encode_rpc, framed
from peerloom_gossipsub._frames import FrameDecoder
from peerloom_gossipsub._message_ids import source_and_sequence
from peerloom_gossipsub._plugin import GossipsubPlugin
from peerloom_gossipsub._rpc import Rpc, Subscription
from peerloom_gossipsub._signing import Publisher, SigningPolicy
from tests.gossipsub.foreign import LIMITS

PROTOCOL = "/meshsub/1.2.0"
TOPIC = "t"
MESSAGES = 64


class Reader:
    """A peer that is always there to read: what comes at a time was written at a time."""

    def __init__(self):
        self.pieces = []
        self.unwanted = []
        self._decoder = FrameDecoder(2**22)

    async def serve(self, stream):
        while True:
            rpcs = [decode_rpc(each, LIMITS) for each in self._decoder.feed(await stream.receive())]
            self.unwanted += [rpc.idontwant for rpc in rpcs if rpc.idontwant]
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
                await subscribed(bench, "reader", reader)
                yield bench, Gossipsub(bench.client), reader

    return running


async def subscribed(bench, name, reader):
    """Let a peer come that is subscribed; gives the stream on which it speaks."""
    peer = bench.swarm.add_peer(name, serves={PROTOCOL: reader.serve})
    stream = await peer.open_stream(PROTOCOL)
    await tell(stream, subscriptions=[Subscription(TOPIC, subscribed=True)])
    await bench.settle()
    return stream


async def tell(stream, **content):
    await stream.send(b"".join(map(framed, encode_rpc(Rpc(**content)))))


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


async def test_messages_that_are_verified_together_are_unwanted_in_one_word(publishing):
    author = Publisher(KeyPair.generate(), SigningPolicy.STRICT_SIGN, 1)
    messages = [author.make(TOPIC, bytes(1024)) for _ in range(MESSAGES)]
    async with publishing() as (bench, gossip, reader):
        await gossip.subscribe(TOPIC)
        bringer = await subscribed(bench, "bringer", Reader())
        await tell(bringer, messages=messages)
        await reader.wait_for(MESSAGES)
        ids = [each for word in reader.unwanted for each in word]
        assert ids == [source_and_sequence(message) for message in messages]
        assert len(reader.unwanted) < MESSAGES / 8
