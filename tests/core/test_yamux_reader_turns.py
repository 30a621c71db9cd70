"""How a link's reader shares the loop with others, and what it keeps meanwhile."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom._errors import MuxerViolation
from peerloom._links import Role
from peerloom._muxers._yamux_frames import ACK, DATA, GO_AWAY, HEADER_BYTES, PING, SYN
from peerloom._muxers._yamux_reader import PIECES_A_LOOK, LinkReader
from peerloom._transports._socket_pipe import SocketPipe
from peerloom._wakeup import wakeup_kind

from .yamux_tools import NullRecords, Pipe, frame, make_link, pipe_pair, session, until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Laborious(NullRecords):
    """Records of a byte each, of which one takes a millisecond; and the clock that says so."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def open(self, data: bytes) -> Iterator[bytes]:
        for byte in data:
            self.time += 0.001
            yield bytes([byte])


async def test_records_that_take_long_leave_the_loop_to_others_in_between() -> None:
    records, turns = Laborious(), 0

    def dispatch() -> None:
        nonlocal turns
        turns += 1

    here, there = pipe_pair(1024)
    await there.send(frame(PING, ACK, 0, 1) * 4 + frame(GO_AWAY, 0, 0, 0))
    reader = LinkReader(here, records, session(), records.now, dispatch)
    await reader.run([])
    assert turns > 5 * HEADER_BYTES // PIECES_A_LOOK


class Told:
    """A socket of which the test decides who is told: the reader, or one that leads."""

    leads = True

    def __init__(self) -> None:
        self.reader = anyio.Event()
        self.leader = anyio.Event()

    async def wait(self) -> None:
        await self.reader.wait()
        self.reader = anyio.Event()

    async def lead(self) -> None:
        await self.leader.wait()

    def interrupt(self) -> None:
        self.reader.set()

    def close(self) -> None:
        self.reader.set()


async def test_one_that_leads_does_not_go_before_what_the_reader_has_read() -> None:
    records, muxer, told = Laborious(), session(), Told()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003
    pipe = SocketPipe(ours)
    pipe._readiness = told
    reader = LinkReader(pipe, records, muxer, records.now, lambda: None)
    some = frame(PING, ACK, 0, 1) * 4

    async def lead() -> None:
        await reader.until_readable(object(), wakeup_kind()())

    with ours, theirs:
        async with anyio.create_task_group() as tasks:
            theirs.sendall(some)
            tasks.start_soon(reader.run, [])
            await until(lambda: muxer.received_bytes == len(some) and not reader._more)
            tasks.start_soon(lead)
            await until(lambda: reader._leader is not None)
            theirs.sendall(some)
            told.reader.set()
            await until(lambda: reader._more)
            theirs.sendall(some + frame(GO_AWAY, 0, 0, 0))
            told.leader.set()
            await until(lambda: reader._leader is None)
            told.reader.set()
    assert muxer.received_bytes == len(3 * some) + HEADER_BYTES
    assert muxer.remote_reason == 0


class Kept(NullRecords):
    """Records that know whether anybody keeps what was not opened yet."""

    kept = False

    def open(self, data: bytes) -> Iterator[bytes]:
        self.kept = True
        try:
            for byte in data:
                yield bytes([byte])
        finally:
            self.kept = False


async def test_a_link_that_is_over_keeps_nothing_that_was_not_opened() -> None:
    records = Kept()
    here, there = pipe_pair()
    link = make_link(here, Role.LISTENER, records=records)
    await there.send(frame(DATA, SYN, 1, 1 << 30, b"") + bytes(100))
    with pytest.raises(MuxerViolation):
        await link.run()
    assert not records.kept


class Read(bytes):
    """What a pipe gave."""

    freed = 0

    def __del__(self) -> None:
        Read.freed += 1


class Reads(Pipe):
    async def receive(self, max_bytes: int = 65536) -> bytes:
        return Read(await super().receive(max_bytes))


async def test_one_that_waits_for_more_does_not_keep_what_it_has_read() -> None:
    here, there = Reads(1024), Pipe(1024)
    here.other, there.other = there, here
    reader = LinkReader(here, NullRecords(), session(), lambda: 0.0, lambda: None)
    before = Read.freed
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader.run, [])
        await there.send(frame(PING, ACK, 0, 1))
        await until(lambda: Read.freed > before)
        tasks.cancel_scope.cancel()
