"""What the yamux tests share: sessions as plain values, links over a pipe in memory."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from anyio.abc import ByteStream
from anyio.lowlevel import checkpoint
from attrs import define, field
from multiaddr import Multiaddr

from peerloom._errors import MuxerViolation
from peerloom._libp2p import KeyPair
from peerloom._links import RawLink, Role, Secured
from peerloom._muxers import Yamux, YamuxSettings
from peerloom._muxers._yamux_frames import (
    GO_AWAY,
    SYN,
    WINDOW_UPDATE,
    FrameDecoder,
    encode_header,
)
from peerloom._muxers._yamux_session import YamuxSession
from peerloom._muxers._yamux_window import WindowBudget
from peerloom._runtime import SystemRuntime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from peerloom._links import Buffer, RecordLayer
    from peerloom._muxers._yamux_link import YamuxLink
    from peerloom._unread import UnreadLedger

ADDRESS = Multiaddr("/memory/1")


class Header(NamedTuple):
    """A frame's head, its fields named."""

    kind: int
    flags: int
    stream_id: int
    length: int


def session(*, dialer: bool = False, **settings: Any) -> YamuxSession:
    bounds = YamuxSettings(**settings)
    budget = WindowBudget(bounds.max_window_growth_bytes)
    return YamuxSession(dialer=dialer, settings=bounds, now=0.0, budget=budget)


def frame(kind: int, flags: int, stream_id: int, length: int, body: bytes | None = None) -> bytes:
    """One frame; a DATA frame's body is made up unless given."""
    if body is None:
        body = bytes(length) if kind == 0 else b""
    return encode_header(kind, flags, stream_id, length) + body


def output(of: YamuxSession, now: float = 0.0) -> bytes:
    """All that the session has to say."""
    out = b""
    while piece := b"".join(of.data_to_send(now)):
        out += piece
    return out


def decode(data: bytes) -> list[tuple[Header, bytes]]:
    """Headers with their payloads."""
    decoder = FrameDecoder()
    decoder.feed(data)
    frames = []
    while decoder.has_more:
        header = decoder.take_header()
        assert header is not None
        body = b""
        while decoder.body_left:
            piece = decoder.take_payload()
            assert piece
            body += piece
        frames.append((Header(*header), body))
    return frames


def headers(data: bytes) -> list[Header]:
    return [header for header, _ in decode(data)]


def deliver(to: YamuxSession, data: bytes, now: float = 0.0) -> None:
    """Hand over all of it."""
    more = to.receive_data(data, now)
    while more:
        more = to.receive_more(now)


def exchange(one: YamuxSession, other: YamuxSession, now: float = 0.0) -> None:
    """Let both talk until neither has anything to say."""
    while True:
        there, back = output(one, now), output(other, now)
        if not there and not back:
            return
        deliver(other, there, now)
        deliver(one, back, now)


class NullRecords:
    """Records that encrypt nothing."""

    def seal(self, pieces: Sequence[Buffer]) -> Buffer:
        return b"".join(pieces)

    def open(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> bytes:
        return b""

    def end_of_input(self) -> None:
        return


@define
class Pipe(ByteStream):
    """One end of a pipe in memory that holds a bounded number of bytes, as a socket does."""

    capacity: int
    incoming: bytearray = field(factory=bytearray)
    moved: anyio.Event = field(factory=anyio.Event)
    ended: bool = False
    broken: bool = False
    closed: bool = False
    other: Pipe | None = None

    async def send(self, item: bytes) -> None:
        rest = memoryview(item)
        assert self.other is not None
        while rest:
            if self.closed:
                raise anyio.ClosedResourceError
            if self.broken or self.other.closed:
                raise anyio.BrokenResourceError
            room = self.other.capacity - len(self.other.incoming)
            if room <= 0:
                await self.other.moved.wait()
                continue
            self.other.incoming += rest[:room]
            self.other.wake()
            rest = rest[room:]
        await anyio.lowlevel.checkpoint()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await anyio.lowlevel.checkpoint()
        while not self.incoming:
            if self.closed:
                raise anyio.ClosedResourceError
            if self.broken:
                raise anyio.BrokenResourceError
            if self.ended:
                raise anyio.EndOfStream
            await self.moved.wait()
        data = bytes(self.incoming[:max_bytes])
        del self.incoming[:max_bytes]
        self.wake()
        return data

    async def send_eof(self) -> None:
        assert self.other is not None
        self.other.ended = True
        self.other.wake()

    async def aclose(self) -> None:
        await self.send_eof()
        self.closed = True
        self.wake()

    def cut(self) -> None:
        """Break both ends, as a killed process or a pulled cable does."""
        assert self.other is not None
        for end in (self, self.other):
            end.broken = True
            end.incoming.clear()
            end.wake()

    def wake(self) -> None:
        self.moved.set()
        self.moved = anyio.Event()


def pipe_pair(capacity: int = 256 * 1024) -> tuple[Pipe, Pipe]:
    one, other = Pipe(capacity), Pipe(capacity)
    one.other, other.other = other, one
    return one, other


def make_link(
    pipe: ByteStream,
    role: Role,
    *,
    ledger: UnreadLedger | None = None,
    records: RecordLayer | None = None,
    **settings: Any,
) -> YamuxLink:
    key = KeyPair.from_seed(bytes(32)).public_key
    secured = Secured(
        peer=key.peer_id,
        public_key=key,
        records=records or NullRecords(),
        muxer=None,
        early_data=[],
    )
    raw = RawLink(stream=pipe, local_address=ADDRESS, remote_address=ADDRESS)
    return Yamux(SystemRuntime(), YamuxSettings(**settings), ledger).upgrade(secured, raw, role)


@define
class Ends:
    """Two linked links, each run by a task; how their runs ended."""

    dialer: YamuxLink
    listener: YamuxLink
    pipe: Pipe
    outcomes: dict[Role, BaseException | None] = field(factory=dict)
    done: dict[Role, anyio.Event] = field(factory=dict)

    async def outcome(self, role: Role) -> BaseException | None:
        """How a run ended, once it has."""
        with anyio.fail_after(10):
            await self.done[role].wait()
        return self.outcomes[role]


@asynccontextmanager
async def linked(capacity: int = 256 * 1024, **settings: Any) -> AsyncIterator[Ends]:
    """Two links that run while the context lasts."""
    one, other = pipe_pair(capacity)
    ends = Ends(
        make_link(one, Role.DIALER, **settings), make_link(other, Role.LISTENER, **settings), one
    )

    async def run(link: YamuxLink, role: Role) -> None:
        ends.outcomes[role] = None
        try:
            await link.run()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            ends.outcomes[role] = error
        ends.done[role].set()

    with anyio.move_on_after(math.inf) as scope:
        async with anyio.create_task_group() as group:
            for link, role in ((ends.dialer, Role.DIALER), (ends.listener, Role.LISTENER)):
                ends.done[role] = anyio.Event()
                group.start_soon(run, link, role)
            await anyio.wait_all_tasks_blocked()
            yield ends
            scope.cancel()


async def both_ends(ends):
    here = await ends.dialer.open_stream()
    with anyio.fail_after(5):
        there = await ends.listener.accept_stream()
    return here, there


async def read_all(stream, max_bytes=65536):
    received = []
    with anyio.fail_after(20):
        try:
            while True:
                received.append(await stream.receive(max_bytes))
        except anyio.EndOfStream:
            return b"".join(received)


async def echo(stream):
    try:
        while True:
            await stream.send(await stream.receive())
    except anyio.EndOfStream:
        await stream.aclose()


async def until(condition):
    with anyio.fail_after(5):
        while not condition():
            await checkpoint()


def pair(**settings):
    return session(dialer=True, **settings), session(**settings)


def opened(**settings):
    """Two sessions and the two ends of a stream between them."""
    dialer, listener = pair(**settings)
    here = dialer.open_stream(0.0)
    exchange(dialer, listener)
    return dialer, listener, here, listener.accept_stream()


def accepted(listener, stream_id=1):
    """A stream that a hand-written peer has opened."""
    deliver(listener, frame(WINDOW_UPDATE, SYN, stream_id, 0))
    return listener.accept_stream()


def waiting(listener):
    """The next stream that waits to be accepted."""
    stream = listener.accept_stream()
    assert stream is not None
    return stream


def violates(to, data):
    with pytest.raises(MuxerViolation):
        deliver(to, data)
    assert decode(output(to)) == [(Header(GO_AWAY, 0, 0, 1), b"")]
