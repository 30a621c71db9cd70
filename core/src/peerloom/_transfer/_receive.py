"""receive_file: fetch what a ticket names, go on where an earlier attempt broke off."""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from attrs import frozen

from peerloom._errors import (
    LinkClosed,
    PeerloomError,
    ProtocolNotSupported,
    RemoteProtocolError,
    StreamError,
    TransferBroken,
    TransferError,
    describe,
)
from peerloom._runtime import SystemRuntime

from ._disk import visit_disk
from ._part import PartFile
from ._wire import PROTOCOL_ID, ReceiverState, Request, Status, encode_receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from anyio.abc import ByteStream
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from peerloom._client import NetworkClient
    from peerloom._runtime import Runtime
    from peerloom._ticket import Ticket

T = TypeVar("T")

STALL_SECONDS: Final = 60.0  # without a byte: the sender is gone, and the next attempt goes on
GOODBYE_SECONDS: Final = 5.0  # for the receipt to arrive; the file is here already

_CHUNK_BYTES: Final = 256 << 10
_WAITING_CHUNKS: Final = 64  # between network and disk: 16 MiB at most, then the sender waits
_BATCH_BYTES: Final = 8 << 20  # one visit to the disk: some 10 ms
_BREAKS = (StreamError, LinkClosed, RemoteProtocolError, TimeoutError, anyio.EndOfStream)


class Stage(Enum):
    """What a transfer is doing."""

    CHECKING = "checking what is here already"
    FETCHING = "fetching"


@frozen
class Progress:
    """How far a transfer has come.

    Attributes:
        stage: what it is doing.
        done: bytes of the file that are checked, or here.
        total: bytes of the file.
    """

    stage: Stage
    done: int
    total: int


async def receive_file(
    client: NetworkClient,
    ticket: Ticket,
    folder: Path,
    progress: Callable[[Progress], None],
    *,
    runtime: Runtime | None = None,
) -> Path:
    """Fetch a ticket's file into an existing folder; gives where it is.

    Until its SHA-256 is verified the file is a hidden part in that folder, from which the next
    attempt goes on. It never replaces an existing file: it takes a numbered name instead.

    Raises `TransferBroken` when another attempt may do better, `TransferError` when it will not,
    and `DialFailed` when the sender cannot be reached.
    """
    disk = _Disk(runtime or SystemRuntime(), folder)
    async with _opened_part(disk, folder, ticket) as part:
        await _check(part, disk, ticket, progress)
        if part.size and part.is_verified():  # all was here, but for its name
            return await disk.visit(part.place)
        return await _fetch(client, ticket, _Storage(part, disk, ticket, progress))


async def _check(
    part: PartFile, disk: _Disk, ticket: Ticket, progress: Callable[[Progress], None]
) -> None:
    while await disk.visit(part.check_some):
        progress(Progress(Stage.CHECKING, part.size, ticket.size))


async def _fetch(client: NetworkClient, ticket: Ticket, storage: _Storage) -> Path:
    await client.dial(ticket.peer, ticket.addresses)
    try:
        stream = await client.open_stream(ticket.peer, (PROTOCOL_ID,))
    except ProtocolNotSupported:
        raise TransferError("that peer sends no files now; ask for a new ticket") from None
    except LinkClosed as error:
        raise _broken(storage, error) from None
    try:
        await _request(stream, storage)
        path = await storage.finish()
    except BaseException:
        stream.reset()
        raise
    await _send_receipt(stream, verified=True)
    return path


async def _request(stream: ByteStream, storage: _Storage) -> None:
    request = Request(storage.ticket.content_hash, storage.part.size)
    state = ReceiverState(request)
    try:
        await stream.send(request.encode())
        first = await _response(stream, state, storage.ticket)
    except _BREAKS as error:
        raise _broken(storage, error) from None
    await _receive_content(stream, state, first, storage)
    if not storage.part.is_verified():
        await storage.drop()
        await _send_receipt(stream, verified=False)
        raise TransferError(
            "what arrived is not the file of the ticket: its SHA-256 is wrong, and it was "
            "deleted; run the same command again, or ask for a new ticket"
        )


async def _response(stream: ByteStream, state: ReceiverState, ticket: Ticket) -> bytes:
    content = b""
    while state.response is None:
        content = state.feed(await _receive(stream))
    _judge(state.response.status)
    if state.response.size != ticket.size:
        raise TransferError("the sender has another size for this file than its ticket")
    return content


def _judge(status: Status) -> None:
    if status is Status.NOT_FOUND:
        raise TransferError("the sender does not offer this file any more; ask for a new ticket")
    if status is Status.CHANGED:
        raise TransferError(
            "the file has changed at the sender since the ticket was made; ask for a new ticket"
        )
    if status is Status.BAD_OFFSET:
        raise TransferError("the sender has less of this file than is here; ask for a new ticket")


async def _receive_content(
    stream: ByteStream, state: ReceiverState, first: bytes, storage: _Storage
) -> None:
    broken: Exception | None = None
    sink, chunks = anyio.create_memory_object_stream[bytes](_WAITING_CHUNKS)
    async with anyio.create_task_group() as group:
        group.start_soon(storage.store, chunks)
        try:
            await _pump(stream, state, first, sink)
        except _BREAKS as error:
            broken = error
    if storage.failure is not None:
        raise storage.failure
    if broken is not None:
        raise _broken(storage, broken) from None


async def _pump(
    stream: ByteStream, state: ReceiverState, first: bytes, sink: MemoryObjectSendStream[bytes]
) -> None:
    async with sink:
        try:
            if first:
                await sink.send(first)
            while state.missing_bytes:
                await sink.send(state.feed(await _receive(stream)))
        except anyio.BrokenResourceError as error:
            if isinstance(error, StreamError):
                raise
            # The disk has failed: `_Storage.failure` says how.


async def _receive(stream: ByteStream) -> bytes:
    with anyio.fail_after(STALL_SECONDS):
        return await stream.receive(_CHUNK_BYTES)


async def _send_receipt(stream: ByteStream, *, verified: bool) -> None:
    try:
        with anyio.move_on_after(GOODBYE_SECONDS):
            await stream.send(encode_receipt(verified=verified))
            await stream.send_eof()
            await stream.receive()
    except (PeerloomError, anyio.EndOfStream):
        pass
    await stream.aclose()


def _broken(storage: _Storage, error: BaseException) -> TransferBroken:
    part, total = storage.part, storage.ticket.size
    why = "the sender ended it" if isinstance(error, anyio.EndOfStream) else describe(error)
    return TransferBroken(
        f"the transfer broke off with {part.size} of {total} bytes here ({why}); run the same "
        "command again to go on from there"
    )


class _Storage:
    """The receiver's disk side: takes chunks as they come, in as few visits as possible.

    Attributes:
        failure: why no more can be stored, or None.
    """

    def __init__(
        self,
        part: PartFile,
        disk: _Disk,
        ticket: Ticket,
        progress: Callable[[Progress], None],
    ) -> None:
        self.part = part
        self.ticket = ticket
        self.failure: TransferError | None = None
        self._disk = disk
        self._progress = progress

    async def store(self, chunks: MemoryObjectReceiveStream[bytes]) -> None:
        self._progress(self._fetched())
        async with chunks:
            async for chunk in chunks:
                batch = _with_all_waiting(chunk, chunks)
                try:
                    await self._disk.visit(partial(self.part.append, batch))
                except TransferError as error:
                    self.failure = error
                    return
                self._progress(self._fetched())

    async def finish(self) -> Path:
        return await self._disk.visit(self.part.place)

    async def drop(self) -> None:
        await self._disk.visit(self.part.drop)

    def _fetched(self) -> Progress:
        return Progress(Stage.FETCHING, self.part.size, self.ticket.size)


def _with_all_waiting(first: bytes, chunks: MemoryObjectReceiveStream[bytes]) -> list[bytes]:
    batch, size = [first], len(first)
    while size < _BATCH_BYTES:
        try:
            chunk = chunks.receive_nowait()
        except (anyio.WouldBlock, anyio.EndOfStream):
            break
        batch.append(chunk)
        size += len(chunk)
    return batch


class _Disk:
    """Visits to the receiver's disk, whose errors say where they happened."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime = runtime
        self._folder = folder

    async def visit(self, function: Callable[[], T]) -> T:
        try:
            return await visit_disk(self._runtime, function)
        except OSError as error:
            raise TransferError(
                f"cannot write into {self._folder}: {error.strerror}; mend that, then run the "
                "same command again: it goes on where it stopped"
            ) from error


@asynccontextmanager
async def _opened_part(disk: _Disk, folder: Path, ticket: Ticket) -> AsyncIterator[PartFile]:
    part = await disk.visit(lambda: PartFile(folder, ticket.name, ticket.content_hash, ticket.size))
    try:
        yield part
    finally:
        part.close()
