"""The attacker's tools: our own sans-IO pieces, driven over a plain socket and as it pleases."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
from attrs import define
from multiaddr import Multiaddr

from peerloom._addresses import split_peer, tcp_endpoint
from peerloom._errors import RecordError
from peerloom._framing import encode_message
from peerloom._libp2p import KeyPair
from peerloom._links import DialOptions, Role
from peerloom._muxers import Yamux
from peerloom._runtime import SystemRuntime
from peerloom._security import Noise, Tls
from peerloom._swarm import Upgrader
from peerloom._swarm._multistream import Proposer
from peerloom._swarm._negotiate import negotiate
from peerloom._transports import QuicSettings, QuicTransport, TcpTransport
from peerloom._transports._quic_credentials import Credentials
from peerloom._transports._quic_qh3_engine import Qh3Engines
from tests.core.yamux_tools import Header, decode
from tests.hostile.ways import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import ByteStream, SocketStream, TaskGroup

    from peerloom._links import MuxedLink, MuxedStream, Secured, SecurityProtocol

HEADER = encode_message(b"/multistream/1.0.0\n")
YAMUX = "/yamux/1.0.0"
LIMIT_SECONDS = 20.0
GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


def line(text: str | bytes) -> bytes:
    """A message of multistream-select."""
    return encode_message((text.encode() if isinstance(text, str) else text) + b"\n")


def securities(identity: KeyPair, runtime: SystemRuntime) -> dict[str, SecurityProtocol]:
    return {
        "tls": Tls(identity, runtime, [YAMUX]),
        "noise": Noise(identity, runtime, [YAMUX]),
    }


@define
class Wire:
    """A connected socket, nothing agreed on yet."""

    stream: ByteStream

    async def send(self, data: bytes) -> None:
        await self.stream.send(data)

    async def try_to_send(self, data: bytes) -> None:
        """Send, unless the node has hung up."""
        with suppress(*GONE):
            await self.stream.send(data)

    async def send_eof(self) -> None:
        """End this half, unless the node has hung up."""
        with suppress(*GONE, OSError):
            await self.stream.send_eof()

    async def receive(self) -> bytes:
        """What comes next; nothing once the node has hung up."""
        with anyio.fail_after(LIMIT_SECONDS):
            try:
                return await self.stream.receive()
            except GONE:
                return b""

    async def until_closed(self) -> bytes:
        """All that comes until the node hangs up."""
        received = b""
        while data := await self.receive():
            received += data
        return received

    async def select(self, protocol: str) -> bytes:
        """Agree on a protocol as an honest peer does; gives what came behind."""
        _, early = await negotiate(Proposer([protocol]), self.stream.send, self.stream.receive)
        return early

    async def secure(self, security: str, identity: KeyPair | None = None) -> Channel:
        """Shake hands as an honest peer does."""
        early = await self.select(PROTOCOLS[security])
        made = securities(identity or KeyPair.generate(), SystemRuntime())[security]
        handshake = made.handshake(Role.DIALER, None)
        await self.send(handshake.step(b"") + (handshake.step(early) if early else b""))
        while handshake.secured is None:
            answer = handshake.step(await self.stream.receive())
            if answer:
                await self.send(answer)
        assert handshake.secured.muxer == YAMUX
        return Channel(self, handshake.secured)


@define
class Channel:
    """A secured wire on which yamux was agreed on: frames are ours to write."""

    wire: Wire
    secured: Secured

    async def send(self, data: bytes) -> None:
        await self.wire.send(bytes(self.secured.records.seal([data])))

    async def send_or_be_cut(self, data: bytes) -> bool:
        """Send; gives whether the node still took it."""
        try:
            await self.send(data)
        except (*GONE, OSError):
            return False
        return True

    async def receive(self) -> bytes:
        """What comes next, decrypted; nothing once the node has hung up."""
        while data := await self.wire.receive():
            try:
                if plain := b"".join(self.secured.records.open(data)):
                    return plain
            except (anyio.EndOfStream, RecordError):
                return b""
        return b""

    async def until_closed(self) -> bytes:
        received = b""
        while data := await self.receive():
            received += data
        return received

    async def hang_up(self) -> None:
        await anyio.aclose_forcefully(self.wire.stream)

    async def frames_until_closed(self) -> list[tuple[Header, bytes]]:
        data = await self.until_closed()
        return decode(data)


async def connect(address: Multiaddr) -> Wire:
    endpoint = tcp_endpoint(address)
    assert endpoint is not None
    _, host, port = endpoint
    return Wire(await anyio.connect_tcp(host, port))


@asynccontextmanager
async def wire_to(address: Multiaddr) -> AsyncGenerator[Wire, None]:
    """A socket to the node."""
    wire = await connect(address)
    try:
        yield wire
    finally:
        await anyio.aclose_forcefully(wire.stream)


@asynccontextmanager
async def channel_to(
    address: Multiaddr, security: str, identity: KeyPair | None = None
) -> AsyncGenerator[Channel, None]:
    """A secured socket to the node, on which frames may be written."""
    async with wire_to(address) as wire:
        yield await wire.secure(security, identity)


class Dialler:
    """Makes links whose streams are ours to misuse, whatever carries them.

    `tasks` runs the socket of QUIC links, until the last of them has ended.
    """

    def __init__(
        self, tasks: TaskGroup, security: tuple[str, ...], identity: KeyPair | None = None
    ) -> None:
        identity, runtime = identity or KeyPair.generate(), SystemRuntime()
        made = securities(identity, runtime)
        credentials = Credentials.of(identity, runtime)
        self._upgrader = Upgrader([made[name] for name in security], [Yamux(runtime)])
        self._quic = QuicTransport(
            identity,
            runtime,
            tasks.start_soon,
            engines=Qh3Engines(credentials, QuicSettings()),
        )

    async def dial(self, address: Multiaddr) -> MuxedLink:
        """A link that has yet to be run."""
        bare = split_peer(address)[0]
        options = DialOptions(reuse_port=False)
        if self._quic.handles(bare):
            return await self._quic.dial(bare, options)
        raw = await TcpTransport().dial(bare, options)
        return await self._upgrader.upgrade(raw, Role.DIALER, None)


@asynccontextmanager
async def link_to(
    address: Multiaddr, security: tuple[str, ...], identity: KeyPair | None = None
) -> AsyncGenerator[MuxedLink, None]:
    """A link that runs."""
    async with anyio.create_task_group() as tasks:
        link = await Dialler(tasks, security, identity).dial(address)
        tasks.start_soon(run, link)
        try:
            yield link
        finally:
            tasks.cancel_scope.cancel()


async def run(link: MuxedLink) -> None:
    try:
        await link.run()
    except (Exception, BaseExceptionGroup):  # noqa: BLE001 - how it ends is the node's business
        return


async def stream_under(link: MuxedLink, protocol: str) -> MuxedStream:
    """A stream on which a protocol is agreed on."""
    muxed = await link.open_stream()
    with anyio.fail_after(LIMIT_SECONDS):
        await negotiate(Proposer([protocol]), muxed.send, muxed.receive)
    return muxed


async def until_reset(muxed: MuxedStream) -> str:
    """How the node ends a stream: `reset`, `end` or `link closed`."""
    with anyio.fail_after(LIMIT_SECONDS):
        try:
            while True:
                await muxed.receive()
        except anyio.EndOfStream:
            return "end"
        except anyio.BrokenResourceError:
            return "reset"
        except anyio.ClosedResourceError:
            return "link closed"


@asynccontextmanager
async def host(serve: Callable[[SocketStream], Awaitable[None]]) -> AsyncGenerator[Multiaddr]:
    """Somebody who listens on TCP and does as he likes."""

    async def handle(stream: SocketStream) -> None:
        async with stream:
            try:
                await serve(stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield Multiaddr(f"/ip4/127.0.0.1/tcp/{port}")
        tasks.cancel_scope.cancel()


def saying(*words: bytes, then_wait: bool = False) -> Callable[[SocketStream], Awaitable[None]]:
    async def serve(stream: SocketStream) -> None:
        for word in words:
            await stream.send(word)
        if then_wait:
            await anyio.sleep_forever()
        while await stream.receive():
            pass

    return serve
