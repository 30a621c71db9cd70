"""What the tests of QUIC share: engines in memory, links over real sockets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define, field
from multiaddr import Multiaddr

from peerloom._errors import PeerloomError
from peerloom._links import DialOptions
from peerloom._transports import QuicSettings, QuicTransport
from peerloom._transports._quic_aioquic import AioquicEngines
from peerloom._transports._quic_credentials import Credentials
from peerloom._transports._quic_qh3_engine import Qh3Engines
from peerloom._unread import UnreadLedger
from tests.core.security_kit import ALICE, BOB, RUNTIME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from peerloom._libp2p import KeyPair
    from peerloom._links import MuxedStream
    from peerloom._transports._quic_endpoint import QuicEndpoint
    from peerloom._transports._quic_link import QuicLink
    from peerloom._transports._quic_stream import QuicStream
    from peerloom._transports._quic_transport import QuicListener

MIB = 1024 * 1024
ANY_PORT = Multiaddr("/ip4/127.0.0.1/udp/0/quic-v1")
ENGINES: dict[str, Any] = {"qh3": Qh3Engines, "aioquic": AioquicEngines}
PAIRS = [(one, other) for one in ENGINES for other in ENGINES]


def engines(name: str, identity: KeyPair, settings: QuicSettings | None = None) -> Any:
    """Engines of one library for one node."""
    return ENGINES[name](Credentials.of(identity, RUNTIME), settings or QuicSettings())


@define
class Ends:
    """Both ends of a connection, each run by a task.

    Attributes:
        outcomes: how a `run` ended: None, or what it raised.
    """

    dialing: QuicTransport
    listening: QuicTransport
    listener: QuicListener
    dialer: QuicLink
    accepter: QuicLink
    outcomes: dict[QuicLink, BaseException | None] = field(factory=dict)
    tasks: anyio.abc.TaskGroup | None = None

    @property
    def endpoint(self) -> QuicEndpoint:
        """The accepter's."""
        return self.listener._endpoint

    async def run(self, link: QuicLink) -> None:
        try:
            await link.run()
        except PeerloomError as error:
            self.outcomes[link] = error
        else:
            self.outcomes[link] = None

    async def outcome(self, link: QuicLink) -> BaseException | None:
        await until(lambda: link in self.outcomes)
        return self.outcomes[link]

    async def stream(self) -> tuple[QuicStream, QuicStream]:
        """A stream, seen from both ends; its first byte has been taken off."""
        here = await self.dialer.open_stream()
        await here.send(b"!")
        with anyio.fail_after(5):
            there = await self.accepter.accept_stream()
            assert await there.receive(1) == b"!"
        return here, there


@asynccontextmanager
async def transports(
    pair: tuple[str, str] = ("qh3", "qh3"),
    *,
    own: Mapping[str, Any] | None = None,
    ledger: UnreadLedger | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[QuicTransport, QuicTransport]]:
    """A transport of Alice and one of Bob; `own` are settings of Alice alone, `ledger` is Bob's."""
    async with anyio.create_task_group() as tasks:
        made = []
        nobodys = UnreadLedger()
        for name, identity, more, unread in (
            (pair[0], ALICE, own or {}, nobodys),
            (pair[1], BOB, {}, ledger or nobodys),
        ):
            limits = QuicSettings(**{**settings, **more})
            library = engines(name, identity, limits)
            made.append(
                QuicTransport(
                    *(identity, RUNTIME, tasks.start_soon, limits, library), ledger=unread
                )
            )
        yield made[0], made[1]
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def linked(
    pair: tuple[str, str] = ("qh3", "qh3"), address: Multiaddr = ANY_PORT, **settings: Any
) -> AsyncIterator[Ends]:
    """A connection from Alice to Bob."""
    async with (
        transports(pair, **settings) as (dialing, listening),
        anyio.create_task_group() as tasks,
        listening.listen(address) as listener,
    ):
        dialer, accepter = await connect(dialing, listener)
        ends = Ends(dialing, listening, listener, dialer, accepter, tasks=tasks)
        for link in (dialer, accepter):
            tasks.start_soon(ends.run, link)
        yield ends
        tasks.cancel_scope.cancel()


async def connect(dialing: QuicTransport, listener: QuicListener) -> tuple[QuicLink, QuicLink]:
    """Dial a listener; gives both ends."""
    accepted: list[Any] = []

    async def accept() -> None:
        accepted.append(await (await listener.accept()).complete())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept)
            dialer = await dialing.dial(listener.addresses[0], DialOptions(expected=BOB.peer_id))
    return dialer, accepted[0]


async def until(condition: Any, seconds: float = 5) -> None:
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - conditions without events of their own
            await anyio.sleep(0.005)


async def read_all(stream: MuxedStream, max_bytes: int = 65536, seconds: float = 20) -> bytes:
    received = []
    with anyio.fail_after(seconds):
        try:
            while True:
                received.append(await stream.receive(max_bytes))
        except anyio.EndOfStream:
            return b"".join(received)


async def echo(stream: MuxedStream) -> None:
    try:
        while True:
            await stream.send(await stream.receive())
    except anyio.EndOfStream:
        await stream.aclose()
