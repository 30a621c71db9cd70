"""Sender: answers requests for offered files, one stream a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import LinkClosed, MalformedMessage, StreamError, TransferError, describe

from ._disk import visit_disk
from ._events import FileRequested, FileServed
from ._offer import OpenedOffer
from ._wire import Response, SenderState, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import ByteStream, ObjectReceiveStream, ObjectSendStream

    from peerloom._events import Event
    from peerloom._runtime import Runtime
    from peerloom._stream import Stream

    from ._offer import OfferedFile

STALL_SECONDS: Final = 120.0  # for one chunk to be taken: 2 KiB/s is a slow line, less is none
REQUEST_SECONDS: Final = 30.0
RECEIPT_SECONDS: Final = 300.0  # the receiver may have gigabytes to bring safely to its disk

_BREAKS = (StreamError, LinkClosed, TransferError, TimeoutError, anyio.EndOfStream)


class Sender:
    """Serves files to streams."""

    def __init__(
        self, files: Sequence[OfferedFile], runtime: Runtime, emit: Callable[[Event], None]
    ) -> None:
        self._files = {file.content_hash: file for file in files}
        self._runtime = runtime
        self._emit = emit

    async def serve(self, stream: Stream) -> None:
        """Answer one request; raises `MalformedMessage` if it is none."""
        try:
            await self._answer(stream)
        except _BREAKS:  # what ends a transfer is told by `FileServed`, and is no fault of ours
            stream.reset()

    async def _answer(self, stream: Stream) -> None:
        state = SenderState()
        with anyio.fail_after(REQUEST_SECONDS):
            while state.request is None:
                state.feed(await stream.receive())
        file, offset = self._files.get(state.request.content_hash), state.request.offset
        if file is None:
            await _refuse(stream, Status.NOT_FOUND)
        elif offset > file.size:
            await _refuse(stream, Status.BAD_OFFSET)
        else:
            await self._deliver(stream, state, file, offset)

    async def _deliver(
        self, stream: Stream, state: SenderState, file: OfferedFile, offset: int
    ) -> None:
        try:
            opened = await visit_disk(self._runtime, lambda: OpenedOffer(file, offset))
        except OSError:
            await _refuse(stream, Status.CHANGED)
            return
        self._emit(FileRequested(stream.peer, file, offset))
        delivery = _Delivery(stream, state, opened, self._runtime)
        try:
            await delivery.run(file.size)
        finally:
            opened.close()
            cause = None if state.receipt else delivery.cause
            served = FileServed(stream.peer, file, delivery.sent_bytes, cause is None, cause)
            self._emit(served)


class _Delivery:
    """One file on its way to one peer; `cause` says why it did not arrive, if it did not."""

    def __init__(
        self, stream: ByteStream, state: SenderState, opened: OpenedOffer, runtime: Runtime
    ) -> None:
        self.sent_bytes = 0
        self.cause = "it was stopped here"
        self._stream = stream
        self._state = state
        self._opened = opened
        self._runtime = runtime

    async def run(self, size: int) -> None:
        try:
            await self._run(size)
        except (*_BREAKS, MalformedMessage) as error:
            self.cause = describe(error)
            raise

    async def _run(self, size: int) -> None:
        if self._opened.problem:
            self.cause = self._opened.problem
            await _refuse(self._stream, Status.CHANGED)
            return
        await self._stream.send(Response(Status.OK, size).encode())
        await self._send_content()
        await self._await_receipt()
        await self._stream.aclose()

    async def _send_content(self) -> None:
        batches, waiting = anyio.create_memory_object_stream[list[bytes]](0)
        failure: Exception | None = None
        async with waiting, anyio.create_task_group() as group:
            group.start_soon(self._read_ahead, batches)
            try:
                await self._send_batches(waiting)
            except _BREAKS as error:
                failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if self._opened.problem:
            raise TransferError(self._opened.problem)

    async def _read_ahead(self, batches: ObjectSendStream[list[bytes]]) -> None:
        async with batches:
            while batch := await visit_disk(self._runtime, self._opened.read_batch):
                await batches.send(batch)

    async def _send_batches(self, waiting: ObjectReceiveStream[list[bytes]]) -> None:
        async for batch in waiting:
            for chunk in batch:
                with anyio.fail_after(STALL_SECONDS):
                    await self._stream.send(chunk)
                self.sent_bytes += len(chunk)

    async def _await_receipt(self) -> None:
        with anyio.fail_after(RECEIPT_SECONDS):
            while self._state.receipt is None:
                self._state.feed(await self._stream.receive())
        self.cause = "the receiver says that the hash of what arrived is wrong"


async def _refuse(stream: ByteStream, status: Status) -> None:
    await stream.send(Response(status).encode())
    await stream.aclose()
