"""Connection: one link in service, its streams negotiated and counted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import (
    LinkClosed,
    NegotiationFailed,
    PeerloomError,
    ProtocolNotSupported,
    StreamError,
    StreamLimitReached,
    describe,
)
from peerloom._stream import Stream

from ._errors import without_traceback
from ._multistream import Proposer, Responder
from ._negotiate import NEGOTIATION_SECONDS, STREAM_READ_BYTES, hear_out, negotiate, no_answer
from ._optimistic_stream import OptimisticStream, Unanswered
from ._turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskGroup

    from peerloom._behaviour import InboundProtocol
    from peerloom._endpoint import ConnectionInfo
    from peerloom._links import MuxedLink, MuxedStream

    from ._protocols import ProtocolTable
    from ._record import Record

CLOSE_SECONDS: Final = 2.0  # saying goodbye may not hold a shutdown longer
NEGOTIATIONS_A_ROUND: Final = 16  # steps of those that the other side began: a millisecond

_LINK_ERRORS: Final = (
    PeerloomError,
    OSError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)

_REFUSALS: Final = (NegotiationFailed, TimeoutError, StreamError, LinkClosed)


class Connection:
    """A muxed link in service.

    Attributes:
        info: what is known of it.
        holding: open streams that keep it.
        intended: whether this node had no more use for it when it ended.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the pool's parts, each once
        self,
        info: ConnectionInfo,
        link: MuxedLink,
        protocols: ProtocolTable,
        offer: Callable[[str, InboundProtocol, Stream], bool],
        record: Record,
        dropped: Callable[[Callable[[], None]], None],
        unanswered: Unanswered,
    ) -> None:
        """Take into service; `dropped` is given what resets a stream that was not closed."""
        self.info = info
        self.holding = 0
        self._record = record
        self._link = link
        self._protocols = protocols
        self._offer = offer
        self._scope = anyio.CancelScope()
        self._turns = Turns(NEGOTIATIONS_A_ROUND)
        self._opened = 0
        self._open: dict[int, tuple[bool, Callable[[], None] | None]] = {}
        self._dropped = dropped
        self._unanswered = unanswered
        self.intended = False
        self._cause: str | None = None

    @property
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip of the link."""
        return self._link.round_trip_seconds

    @property
    def closing(self) -> bool:
        """Whether it has been told to close."""
        return self._cause is not None

    async def run(self) -> str:
        """Serve until the link ends; gives why it ended, in one line."""
        cause = "the other side closed it"
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._accept_streams, tasks)
                    try:
                        await self._link.run()
                    except _LINK_ERRORS as error:
                        cause = describe(error)
                        if not self.closing:
                            self._record.connection_ended(self.info.remote_address, error)
                        without_traceback(error)
                    tasks.cancel_scope.cancel()
        finally:
            for number in list(self._open):
                self._finished(number)
        return self._cause or cause

    async def close(self, cause: str, *, intended: bool) -> None:
        """End it, telling the other side; bounded. See `PeerDisconnected` for `intended`."""
        if self._cause is None:
            self._cause = cause
            self.intended = intended
            try:
                with anyio.move_on_after(CLOSE_SECONDS):
                    await self._link.aclose()
            finally:  # also when whoever closes it is cancelled
                self._scope.cancel()

    async def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream and agree on a protocol.

        Raises `ProtocolNotSupported`, `NegotiationFailed`, `StreamLimitReached`, `LinkClosed`.
        """
        muxed = await self._link.open_stream()
        try:
            with anyio.fail_after(NEGOTIATION_SECONDS):
                protocol, early = await negotiate(
                    Proposer(protocols), muxed.send, lambda: muxed.receive(STREAM_READ_BYTES)
                )
        except ProtocolNotSupported:
            await muxed.aclose()
            raise ProtocolNotSupported(self.info.peer, protocols) from None
        except TimeoutError:
            muxed.reset()
            raise no_answer() from None
        except BaseException:
            muxed.reset()
            raise
        return self._stream(muxed, protocol, early, None)

    def open_now(self, protocol: str, refused: Callable[[], None]) -> Stream | None:
        """`open_at_once` if that needs no waiting, else None."""
        muxed = self._link.open_stream_now()
        if muxed is None:
            return None
        proposer = Proposer((protocol,))
        if not muxed.send_now(proposer.start()):
            muxed.reset()
            return None
        return self._optimistic(muxed, proposer, protocol, refused)

    async def open_at_once(self, protocol: str, refused: Callable[[], None]) -> Stream:
        """Open a stream without waiting until the other side has agreed to the protocol.

        See `OptimisticStream` for when it is known; `refused` hears if it does not agree.
        """
        muxed = await self._link.open_stream()
        proposer = Proposer((protocol,))
        try:
            await muxed.send(proposer.start())
        except BaseException:
            muxed.reset()
            raise
        return self._optimistic(muxed, proposer, protocol, refused)

    def _optimistic(
        self, muxed: MuxedStream, proposer: Proposer, protocol: str, refused: Callable[[], None]
    ) -> Stream:
        optimistic = OptimisticStream(muxed, proposer, self.info.peer, refused, self._unanswered)
        return self._stream(optimistic, protocol, b"", None)

    async def _accept_streams(self, tasks: TaskGroup) -> None:
        limited = self.info.limits is not None
        while True:
            try:
                muxed = await self._link.accept_stream()
            except LinkClosed:
                return
            await self._turns.take()
            responder = Responder(lambda name: self._protocols.accepts(name, limited=limited))
            if not self._serve_now(muxed, responder):
                tasks.start_soon(self._serve, muxed, responder)

    def _serve_now(self, muxed: MuxedStream, responder: Responder) -> bool:
        """Serve a stream whose proposal came along with it, which needs no task; whether it did."""
        try:
            data = muxed.receive_now()
            if not data:
                return False
            answer = responder.receive(data)
            if not muxed.send_now(answer):
                raise StreamLimitReached("there is no room for the answer")
            if responder.protocol is None:
                return False
            self._serve_by(muxed, responder.protocol, responder.leftover)
        except _REFUSALS as error:
            self._refuse(muxed, error)
        return True

    async def _serve(self, muxed: MuxedStream, responder: Responder) -> None:
        try:
            with anyio.fail_after(NEGOTIATION_SECONDS):
                protocol, early = await hear_out(responder, muxed.send, lambda: self._hear(muxed))
            self._serve_by(muxed, protocol, early)
        except _REFUSALS as error:
            self._refuse(muxed, error)

    async def _hear(self, muxed: MuxedStream) -> bytes:
        data = await muxed.receive(STREAM_READ_BYTES)
        await self._turns.take()
        return data

    def _serve_by(self, muxed: MuxedStream, protocol: str, early: bytes) -> None:
        release = self._protocols.acquire(protocol, self.info.peer)
        self._hand_over(self._stream(muxed, protocol, early, release))

    def _refuse(self, muxed: MuxedStream, error: Exception) -> None:
        muxed.reset()
        self._record.stream_refused(self.info.remote_address, error)

    def _hand_over(self, stream: Stream) -> None:
        entry = self._protocols.find(stream.protocol)
        if entry is None or not self._offer(entry.owner, entry.inbound, stream):
            stream.reset()
            error = StreamLimitReached("too many streams wait to be served")
            self._record.stream_refused(self.info.remote_address, error)

    def _stream(
        self,
        muxed: MuxedStream,
        protocol: str,
        early: bytes,
        release: Callable[[], None] | None,
    ) -> Stream:
        holds = self._protocols.holds_connection(protocol)
        self.holding += holds
        self._opened += 1
        self._open[self._opened] = holds, release
        return Stream(
            muxed,
            protocol,
            self.info,
            early=early,
            on_finished=partial(self._finished, self._opened),
            on_dropped=self._dropped,
        )

    def _finished(self, number: int) -> None:
        if (stream := self._open.pop(number, None)) is not None:
            holds, release = stream
            self.holding -= holds
            if release is not None:
                release()
