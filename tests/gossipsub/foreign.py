"""A peer that speaks gossipsub by hand."""

from __future__ import annotations

import anyio

from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl
from peerloom_gossipsub._decode import decode_rpc
from peerloom_gossipsub._encode import encode_rpc, framed
from peerloom_gossipsub._frames import FrameDecoder
from peerloom_gossipsub._rpc import Rpc, RpcLimits

MESHSUB = "/meshsub/1.1.0"
LIMITS = RpcLimits()


class ForeignPlugin:
    """Takes gossipsub's streams and does with them what the test says."""

    info = PluginInfo("foreign")

    def __init__(self):
        self.streams = []
        self.arrived = anyio.Event()
        self.behaviour = Behaviour()
        self.behaviour.protocols = {MESHSUB: InboundProtocol(self.serve)}

    @hookimpl
    def peerloom_behaviours(self):
        return [self.behaviour]

    async def serve(self, stream):
        self.streams.append(stream)
        self.arrived.set()
        await anyio.sleep_forever()

    async def stream(self, number):
        """The stream that the other side has opened as its so-manieth."""
        while len(self.streams) <= number:
            self.arrived = anyio.Event()
            await self.arrived.wait()
        return self.streams[number]


class Ear:
    """Reads RPCs from a stream."""

    def __init__(self, stream):
        self.stream = stream
        self.decoder = FrameDecoder(2**22)
        self.waiting = []

    async def next(self, kind):
        """The first entry of one kind in the next RPC with any, past everything else."""
        return (await self.all(kind))[0]

    async def all(self, kind):
        """All entries of that kind in that RPC."""
        while True:
            for rpc in self.waiting:
                if entries := list(getattr(rpc, kind)):
                    self.waiting.remove(rpc)
                    return entries
            frames = self.decoder.feed(await self.stream.receive())
            self.waiting += [decode_rpc(frame, LIMITS) for frame in frames]


async def say(stream, **content):
    for frame in encode_rpc(Rpc(**content)):
        await stream.send(framed(frame))
