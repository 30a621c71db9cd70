"""Our own node as a party: a plugin that serves the test protocols, and the same verbs."""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio

from peerloom import (
    IdentifyReceived,
    NetworkConfig,
    Node,
    PeerConnected,
    PeerDisconnected,
    PeerId,
    Perf,
    Stream,
)

from .frames import FRAMES
from .party import Fields, Party, resident_bytes
from .scripts import ECHO, SCRIPTS, Task, echo, frames
from .served_here import NodePipe, ServedProtocols
from .streams import Streams

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from peerloom._swarm import Swarm
    from peerloom.plugin import PluginContext

    from .pipe import Pipe
    from .served_here import ServedScript


class Here(Party):
    """Our node."""

    def __init__(self) -> None:
        super().__init__("peerloom")
        self.plugin = ServedProtocols(self._serve)
        self._streams = Streams(self.tell)
        self._later: set[str] = set()
        self._node: Node

    @property
    def address(self) -> str:
        """The address that it listens on, with its peer id."""
        return str(self._node.addresses[0])

    @property
    def ctx(self) -> PluginContext:
        """What our plugin was handed."""
        assert self.plugin.ctx is not None
        return self.plugin.ctx

    def adopt(self, node: Node) -> None:
        """Drive this node."""
        self._node = node
        self.id = str(node.peer_id)

    @contextmanager
    def keeping_log(self) -> Iterator[None]:
        """Keep the end of what the node logs in the block."""
        logger = logging.getLogger("peerloom")
        handler = _Keeping(self._log)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    async def follow(self, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Turn the node's events into those of README.md, until cancelled."""
        async with self._node.client.events(
            PeerConnected, PeerDisconnected, IdentifyReceived
        ) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, PeerConnected):
                    self.tell("connected", peer=str(event.peer))
                elif isinstance(event, PeerDisconnected):
                    self.tell("disconnected", peer=str(event.peer))
                elif isinstance(event, IdentifyReceived):
                    self.tell("identified", peer=str(event.peer), **_identity_of(event))

    async def dial(self, address: str) -> None:
        """Connect to somebody."""
        await self._node.client.dial(address)

    async def disconnect(self, peer: str) -> None:
        """Close our connections to a peer."""
        await self._node.client.disconnect(peer)

    async def connections(self) -> list[Fields]:
        """What we are connected to."""
        return [
            {
                "peer": str(each.peer),
                "direction": "outbound" if each.role.value == "dialer" else "inbound",
                "address": str(each.remote_address),
                "encryption": each.security,
                "muxer": each.muxer,
            }
            for each in await self._node.client.connections()
        ]

    async def identify(self, peer: str) -> Fields:
        """What we were told of a peer last."""
        known = [each for each in self.events if each["event"] == "identified"]
        last = [each for each in known if each["peer"] == peer][-1]
        return {name: value for name, value in last.items() if name not in ("event", "peer")}

    async def handle(self, protocol: str) -> None:
        """Serve one more protocol from now on."""
        self._later.add(protocol)
        self._serve_protocols()

    async def unhandle(self, protocol: str) -> None:
        """Serve a protocol no longer."""
        self._later.discard(protocol)
        self._serve_protocols()

    def believe(self, peer: str, *protocols: str) -> None:
        """Take it that a peer speaks these protocols, as if it had said so by identify."""
        cast("Swarm", self.ctx.swarm).peer_speaks(PeerId.from_string(peer), protocols)

    async def ping(self, peer: str) -> float:
        """Ping a peer; gives the round trip in milliseconds."""
        return 1000 * await self._node.client.ping(peer)

    async def perf(self, peer: str, upload: int, download: int) -> float:
        """Run perf once; gives its seconds."""
        result = await self._node.client.call(Perf(PeerId.from_string(peer), upload, download))
        return result.upload_seconds + result.download_seconds

    async def run(self, script: str, peer: str, nbytes: int, seed: int, **more: Any) -> Fields:
        """Run one of the stream scripts."""
        if script == "echo":
            return await self._echo(peer, nbytes, seed, **more)
        protocol, function = SCRIPTS[script]
        protocol = more.pop("protocol", protocol)
        held = more.pop("hold", False)
        assert not more, more
        stream = await self._node.client.open_stream(peer, [protocol])
        return await self._run_on(stream, function, nbytes, seed, held=held)

    async def frames(self, peer: str, sizes: Sequence[int], seed: int) -> Fields:
        """Send frames of those sizes and take back what comes."""
        stream = await self._node.client.open_stream(peer, [FRAMES])

        async def run(pipe: Pipe, _released: anyio.Event) -> Fields:
            return await frames(pipe, sizes, seed)

        return await self._run_script(stream, run)

    async def streams(self) -> list[Fields]:
        """The scripted streams that are open now."""
        return self._streams.list()

    async def release(self, stream: int) -> None:
        """Let a held or stalled stream read on."""
        self._streams.release(stream)

    def memory_bytes(self) -> int:
        """What this process holds in memory."""
        return resident_bytes(os.getpid())

    async def _serve(self, stream: Stream, script: ServedScript, held: bool) -> None:  # noqa: FBT001
        await self._streams.run(
            NodePipe(stream),
            script,
            peer=str(stream.peer),
            protocol=stream.protocol,
            role="accepter",
            held=held,
        )

    def _serve_protocols(self) -> None:
        self.ctx.swarm.install(self.ctx.name, [self.plugin.serving(*self._later)], [])

    async def _echo(
        self, peer: str, nbytes: int, seed: int, streams: int = 1, protocol: str = ECHO
    ) -> Fields:
        opened: list[Stream] = []
        outcomes: list[Fields] = []

        async def open_one() -> None:
            opened.append(await self._node.client.open_stream(peer, [protocol]))

        async def run_one(stream: Stream) -> None:
            outcomes.append(await self._run_on(stream, echo, nbytes, seed))

        async with anyio.create_task_group() as tasks:
            for _ in range(streams):
                tasks.start_soon(open_one)
        async with anyio.create_task_group() as tasks:
            for stream in opened:
                tasks.start_soon(run_one, stream)
        return {"streams": outcomes}

    async def _run_on(
        self,
        stream: Stream,
        script: Callable[[Pipe, Task], Awaitable[Fields]],
        nbytes: int,
        seed: int,
        *,
        held: bool = False,
    ) -> Fields:
        async def run(pipe: Pipe, released: anyio.Event) -> Fields:
            return await script(pipe, Task(nbytes, seed, released))

        return await self._run_script(stream, run, held=held)

    async def _run_script(
        self,
        stream: Stream,
        run: Callable[[Pipe, anyio.Event], Awaitable[Fields]],
        *,
        held: bool = False,
    ) -> Fields:
        return await self._streams.run(
            NodePipe(stream),
            run,
            peer=str(stream.peer),
            protocol=stream.protocol,
            role="opener",
            held=held,
        )


class _Keeping(logging.Handler):
    def __init__(self, lines: deque[str]) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@asynccontextmanager
async def our_node(listen: str) -> AsyncIterator[Here]:
    """Run our node on a free port of the loopback interface."""
    here = Here()
    config = NetworkConfig(listen=[listen], settings={"perf": {"serve": True}}, strict=True)
    failure: BaseException | None = None
    with here.keeping_log():
        async with Node(config, plugins=[here.plugin]) as node, anyio.create_task_group() as tasks:
            here.adopt(node)
            await tasks.start(here.follow)
            try:
                yield here
            except BaseException as error:  # noqa: BLE001 - raised again below, outside the group
                error.add_note(here.log)
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _identity_of(event: IdentifyReceived) -> Fields:
    return {
        "agent": event.agent,
        "protocol_version": event.protocol_version,
        "protocols": list(event.protocols),
        "addresses": [str(address) for address in event.listen_addresses],
    }
