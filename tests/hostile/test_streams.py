"""Peers that misuse streams, and handlers that fail; over every way to reach a node."""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom import PeerDisconnected, PluginFailed, Stream, StreamReset
from peerloom._framing import encode_varint
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl
from peerloom.testing import SimulatedNetwork
from tests.core.nodes import Serving, echo
from tests.hostile.foe import HEADER, line, link_to, stream_under, until_reset
from tests.hostile.siege import measured, siege
from tests.simulation.clock import run_on_asyncio

if TYPE_CHECKING:
    from tests.hostile.ways import Way

GARBAGE = random.Random(3).randbytes(3000)
NONSENSE = {
    "random bytes": GARBAGE,
    "a name that is not UTF-8": HEADER + line(b"/\xff\xfe\x80/1"),
    "a length of 63 bits": HEADER + encode_varint((1 << 63) - 1),
    "a length without end": HEADER + b"\xff" * 32,
    "a thousand proposals": HEADER + line("/x") * 1000,
    "another header": line("/multistream/3.0.0"),
}
UNEXPECTED = (RuntimeError, KeyError, SystemExit, StreamReset, anyio.EndOfStream, TimeoutError)


def raising(kind: type[BaseException]):
    async def handler(stream: Stream) -> None:
        await stream.receive(1)
        raise kind("by a defect of the handler")

    return handler


@pytest.mark.parametrize("kind", UNEXPECTED, ids=lambda kind: kind.__name__)
async def test_py_audit_1_a_raising_handler_resets_its_stream_and_nothing_else(
    kind: Any, way: Way
) -> None:
    async with siege(way, Serving(bad=raising(kind), echo=echo)) as scene:
        async with link_to(scene.address, way.security) as link:
            bystander = await stream_under(link, "/echo/1")
            bad = await stream_under(link, "/bad/1")
            await bad.send(b"x")
            assert await until_reset(bad) == "reset"
            await bystander.send(b"still here")
            assert await bystander.receive() == b"still here"
        assert scene.node.client is not None


async def test_a_handler_that_fails_for_everybody_is_told_and_serves_on(way: Way) -> None:
    async with (
        siege(way, Serving(bad=raising(ValueError))) as scene,
        scene.node.client.events(PluginFailed) as failures,
    ):
        for _ in range(5):  # each time somebody else: nobody is cut off
            async with link_to(scene.address, way.security) as link:
                bad = await stream_under(link, "/bad/1")
                await bad.send(b"x")
                assert await until_reset(bad) == "reset"
                with anyio.fail_after(10):
                    failure = await anext(failures)
            assert failure.plugin == "serving"
            assert isinstance(failure.cause, ValueError)
            assert failure.peer is not None


@pytest.mark.parametrize("what", NONSENSE)
async def test_py_audit_1_nonsense_in_a_streams_negotiation_resets_that_stream(
    what: str, way: Way
) -> None:
    async with (
        siege(way, Serving(echo=echo)) as scene,
        link_to(scene.address, way.security) as link,
    ):
        bystander = await stream_under(link, "/echo/1")
        stream = await link.open_stream()
        await stream.send(NONSENSE[what])
        assert await until_reset(stream) == "reset"
        await bystander.send(b"still here")
        assert await bystander.receive() == b"still here"
        assert (await scene.swarm())["refused_streams"] == {"NegotiationFailed": 1}


@pytest.mark.usefixtures("hurried")
async def test_nim_2940_who_says_nothing_on_a_stream_loses_it_and_no_slot_is_lost(way: Way) -> None:
    """At each step of a stream's negotiation, all at once."""
    steps: tuple[bytes, ...] = (HEADER[:5], HEADER, HEADER + line("/echo/1")[:4])
    if way.raw:  # a stream of QUIC begins with its first byte
        steps = (b"", *steps)
    async with (
        siege(way, Serving(echo=echo)) as scene,
        link_to(scene.address, way.security) as link,
        measured(scene),
        anyio.create_task_group() as tasks,
    ):

        async def hang(sent: bytes) -> None:
            stream = await link.open_stream()
            if sent:
                await stream.send(sent)
            assert await until_reset(stream) == "reset"

        for step in steps:
            tasks.start_soon(hang, step)
        await scene.wait_for(
            "each was refused",
            lambda swarm: swarm["refused_streams"] == {"TimeoutError": len(steps)},
            15,
        )


async def test_slots_come_back_however_a_stream_ends(way: Way) -> None:
    """Ended by either side, reset by either side, or with its connection."""
    async with siege(way, Serving(echo=echo)) as scene:
        for end in ("eof", "reset", "link"):
            async with link_to(scene.address, way.security) as link:
                for _ in range(33 if end != "link" else 20):
                    stream = await stream_under(link, "/echo/1")
                    if end == "eof":
                        await stream.send_eof()
                        assert await until_reset(stream) == "end"
                        await stream.aclose()
                    elif end == "reset":
                        stream.reset()
            await scene.wait_for("none is left", lambda s: not s["inbound_streams"].get("/echo/1"))


class Keeping:
    """A plugin that puts its streams into a list and returns, as an acceptor does."""

    info = PluginInfo("keeping")

    def __init__(self) -> None:
        self.kept: list[Stream] = []
        self._changed = anyio.Event()
        self._behaviour = Behaviour()
        self._behaviour.protocols = {"/keep/1": InboundProtocol(self._keep)}

    async def _keep(self, stream: Stream) -> None:
        self.kept.append(stream)
        self._changed.set()
        self._changed = anyio.Event()

    async def wait_for(self, count: int) -> None:
        with anyio.fail_after(10):
            while len(self.kept) < count:
                await self._changed.wait()

    @hookimpl
    def peerloom_behaviours(self) -> list[Behaviour]:
        return [self._behaviour]


@pytest.mark.usefixtures("hurried")
async def test_a_stream_that_the_application_drops_is_reset_and_gives_its_slot_back(
    way: Way,
) -> None:
    keeping = Keeping()
    async with (
        siege(way, keeping) as scene,
        link_to(scene.address, way.security) as link,
    ):
        streams = [await stream_under(link, "/keep/1") for _ in range(3)]
        await scene.wait_for("they are open", lambda s: s["inbound_streams"]["/keep/1"] == 3)
        await keeping.wait_for(3)
        keeping.kept.clear()
        gc.collect()
        for stream in streams:
            assert await until_reset(stream) == "reset"
        swarm = await scene.wait_for(
            "the slots are back", lambda s: not s["inbound_streams"].get("/keep/1")
        )
        assert swarm["dropped_streams"] == 3


async def test_a_stream_reset_by_the_other_side_gives_its_slot_back_when_that_is_seen(
    way: Way,
) -> None:
    keeping = Keeping()
    async with (
        siege(way, keeping) as scene,
        link_to(scene.address, way.security) as link,
    ):
        stream = await stream_under(link, "/keep/1")
        await keeping.wait_for(1)
        stream.reset()
        with pytest.raises(StreamReset):
            await keeping.kept[0].receive()
        assert not (await scene.swarm())["inbound_streams"].get("/keep/1")


async def test_a_protocol_withdrawn_during_a_negotiation_costs_the_stream_only(way: Way) -> None:
    serving = Serving(echo=echo)
    async with siege(way, serving) as scene, link_to(scene.address, way.security) as link:
        table: Any = scene.node._swarm._protocols
        find = table.accepts

        def accepts(name: str, *, limited: bool) -> bool:
            accepted: bool = find(name, limited=limited)
            if name == "/echo/1":
                scene.node._swarm.withdraw("serving")
            return accepted

        table.accepts = accepts
        stream = await link.open_stream()
        await stream.send(HEADER + line("/echo/1"))
        assert await until_reset(stream) == "reset"
        assert (await scene.swarm())["refused_streams"] == {"StreamError": 1}


async def test_three_failing_streams_end_a_peers_connection_with_a_reason(way: Way) -> None:
    async with (
        siege(way, Serving(bad=raising(ValueError))) as scene,
        scene.node.client.events(PeerDisconnected) as ends,
        link_to(scene.address, way.security) as link,
    ):
        for _ in range(3):
            stream = await stream_under(link, "/bad/1")
            await stream.send(b"x")
            await until_reset(stream)
        with anyio.fail_after(10):
            assert "three of its streams failed" in (await anext(ends)).cause


@pytest.mark.parametrize(
    ("listen", "seconds"),
    [("/tcp/4001", 600.0), ("/udp/4001/quic-v1", 6.0)],  # whoever stops others has 10 s by QUIC
    ids=["tcp-tls", "quic"],
)
def test_py_audit_7_a_reader_that_pauses_for_long_loses_nothing(
    anyio_backend_name: str, listen: str, seconds: float
) -> None:
    """py-libp2p's writer gives up after 5 s without a window."""
    network = SimulatedNetwork(security="real")
    if anyio_backend_name == "trio":
        network.run(_pause, listen, seconds)
    else:
        run_on_asyncio(network, _pause, listen, seconds)


async def _pause(network: SimulatedNetwork, listen: str, seconds: float) -> None:
    keeping = Keeping()
    reading = await network.node(plugins=[keeping], listen=[listen]).start()
    writing = await network.node(listen=[listen]).start()
    await writing.dial(reading)
    stream = await writing.client.open_stream(reading.peer_id, "/keep/1")
    size = 24 << 20
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, bytes(size))
        await keeping.wait_for(1)
        await anyio.sleep(seconds)
        received = 0
        with anyio.fail_after(30):
            while received < size:
                received += len(await keeping.kept[0].receive())
    assert received == size
    keeping.kept[0].reset()
    stream.reset()
