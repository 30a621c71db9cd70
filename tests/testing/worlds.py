"""The same small world twice: with the real swarm between two nodes, and with the fake one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from multiaddr import Multiaddr

from peerloom import PluginSelection
from peerloom.plugin import Behaviour, DialCondition, Event, InboundProtocol, PluginInfo, hookimpl
from peerloom.testing import Nodes, Plugins, Recorder, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom import ConnectionInfo, Node, PeerId, Stream
    from peerloom.plugin import PluginContext
    from peerloom.testing import Bench, FakePeer

ECHO = "/echo/1"
BABBLE = "/babble/1"
NOBODY_THERE = Multiaddr("/ip4/127.0.0.1/tcp/1")


class Keeper:
    """The plugin through whose context a test asks the swarm.

    Attributes:
        refuses: a stage at which its gate lets nobody pass.
    """

    info = PluginInfo("keeper")

    def __init__(self) -> None:
        self.refuses = ""
        self.context: PluginContext

    @hookimpl
    def peerloom_setup(self, ctx):
        self.context = ctx

    @hookimpl
    def peerloom_gate(self, stage):
        return f"not at {stage}" if stage == self.refuses else None


class Serving(Behaviour):
    """Serves one protocol by a function."""

    def __init__(self, protocol: str, handler: Any, **options: Any) -> None:
        self.protocols = {protocol: InboundProtocol(handler, **options)}
        self.known: dict[PeerId, list[Multiaddr]] = {}

    def addresses_of(self, peer):
        return self.known.get(peer, [])


class Serves:
    """A plugin with these behaviours."""

    info = PluginInfo("serves")

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours = behaviours

    @hookimpl
    def peerloom_behaviours(self):
        return list(self.behaviours)


class World(Protocol):
    """A context over one of the swarms, and ben, who serves `ECHO` and `BABBLE`."""

    keeper: Keeper
    heard: Recorder
    ben: PeerId
    ben_addresses: list[Multiaddr]

    async def ben_opens(self, protocol: str) -> Stream: ...
    async def ben_leaves(self) -> None: ...


class FakeWorld:
    """With the fake swarm."""

    def __init__(self, keeper: Keeper, bench: Bench) -> None:
        self.keeper = keeper
        self.heard = bench.heard
        self._ben: FakePeer = bench.swarm.add_peer("ben", {ECHO: echo, BABBLE: babble}, known=False)
        self.ben = self._ben.peer_id
        self.ben_addresses = list(self._ben.addresses)

    async def ben_opens(self, protocol: str) -> Stream:
        return await self._ben.open_stream(protocol)

    async def ben_leaves(self) -> None:
        await self._ben.disconnect()


class RealWorld:
    """With the real swarm."""

    def __init__(self, keeper: Keeper, heard: Recorder, ann: Node, ben: Node) -> None:
        self.keeper = keeper
        self.heard = heard
        self._ann, self._ben = ann, ben
        self.ben = ben.peer_id
        self.ben_addresses = [address.decapsulate("/p2p") for address in ben.addresses]

    async def ben_opens(self, protocol: str) -> Stream:
        if not await self._ben.client.connections(self._ann.peer_id):
            await self._ben.client.dial(self._ann.peer_id, self._ann.addresses)
        return await self._ben.client.open_stream(self._ann.peer_id, protocol)

    async def ben_leaves(self) -> None:
        await until(lambda: self._ben.client.connections(self._ann.peer_id))
        await self._ben.client.disconnect(self._ann.peer_id)


@asynccontextmanager
async def fake_world() -> AsyncGenerator[World, None]:
    keeper = Keeper()
    async with Plugins().running(keeper) as bench:
        yield FakeWorld(keeper, bench)


@asynccontextmanager
async def real_world() -> AsyncGenerator[World, None]:
    keeper = Keeper()
    bare = PluginSelection(disabled=("discovery", "identify", "perf", "ping", "stream"))
    async with Nodes() as nodes:
        [ann] = await nodes(plugins=[keeper], selection=bare)
        serves = Serves(Serving(ECHO, echo), Serving(BABBLE, babble))
        [ben] = await nodes(plugins=[serves], selection=bare)
        yield RealWorld(keeper, nodes.record(ann, Event), ann, ben)


async def echo(stream: Stream) -> None:
    """Send back what comes, until it ends."""
    async for chunk in stream:
        await stream.send(chunk)
    await stream.aclose()


async def babble(stream: Stream) -> None:
    """Speak, and leave without having listened."""
    await stream.send(b"forty-two")
    await stream.aclose()


async def dialled(world: World, condition: Any = DialCondition.ALWAYS) -> ConnectionInfo:
    return await world.keeper.context.dial(world.ben, world.ben_addresses, condition)


async def echoed(stream: Stream, data: bytes) -> bytes:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_all, stream, data)
        chunks = [chunk async for chunk in stream]
    return b"".join(chunks)


async def read(stream: Stream) -> bytes:
    with anyio.fail_after(5):
        return await stream.receive()


async def send_all(stream: Stream, data: bytes) -> None:
    await stream.send(data)
    await stream.send_eof()


def serve(ctx: PluginContext, handler: Any, protocol: str = "/served/1", **options: Any) -> Serving:
    behaviour = Serving(protocol, handler, **options)
    ctx.swarm.install(ctx.name, [behaviour], [])
    return behaviour
