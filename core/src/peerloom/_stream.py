"""Stream: what protocols and applications read from and write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import ByteStream

from ._errors import MalformedMessage, NegotiationFailed, ProtocolNotSupported, of_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ._endpoint import ConnectionInfo
    from ._links import MuxedStream
    from ._peer_id import PeerId

_ENDINGS: Final = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    ProtocolNotSupported,
    NegotiationFailed,
)


def _forget(_reset: Callable[[], None]) -> None:
    """For a stream of no connection."""


class Stream(ByteStream):
    """A byte stream to a peer, under a protocol that both sides agreed on.

    An anyio `ByteStream`: `receive` raises `anyio.EndOfStream` after the other side's clean end,
    and `StreamReset` after a reset, when data may be lost. `send` waits while the reader is slow.

    One that was opened at once (see `NetworkClient.open_stream`) raises `ProtocolNotSupported` from
    the first `receive`, `send_eof` or `aclose` if the other side does not speak the protocol.

    Close it, or use it in ``async with``: the end of the block closes it, an exception that leaves
    the block resets it, so that nobody takes a part for the whole. One that is dropped instead is
    reset some seconds later.

    Attributes:
        peer: who is at the other end.
        protocol: the protocol id agreed on.
        connection: the connection that carries it.
    """

    def __init__(  # noqa: PLR0913 - used by connections only
        self,
        muxed: MuxedStream,
        protocol: str,
        connection: ConnectionInfo,
        *,
        early: bytes = b"",
        on_finished: Callable[[], None],
        on_dropped: Callable[[Callable[[], None]], None] = _forget,
    ) -> None:
        """Used by connections.

        `on_dropped` is given what resets the stream; whatever thread collects garbage calls it.
        """
        self.peer: PeerId = connection.peer
        self.protocol = protocol
        self.connection = connection
        self._muxed = muxed
        self._early = early
        self._on_finished: Callable[[], None] | None = on_finished
        self._on_dropped = on_dropped
        self._read_ended = False
        self._write_ended = False

    def __del__(self) -> None:
        if self._on_finished is not None:
            self._on_dropped(_reset(self._muxed, self._on_finished))

    def __repr__(self) -> str:
        return f"<Stream {self.protocol} with {self.peer}>"

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes, at least one; see the class for how it ends."""
        if max_bytes < 1:
            raise ValueError(f"max_bytes is {max_bytes}; ask for at least one byte")
        if self._early:
            chunk, self._early = self._early[:max_bytes], self._early[max_bytes:]
            return chunk
        try:
            return await self._muxed.receive(max_bytes)
        except anyio.EndOfStream:
            self._read_ended = True
            self._finish_if_ended()
            raise
        except _ENDINGS as error:
            raise self._told(error) from error.__cause__

    async def receive_exactly(self, nbytes: int) -> bytes:
        """So many bytes, never one more.

        Raises `anyio.EndOfStream` at a clean end before the first of them, `MalformedMessage` at
        one before the last, and what `receive` raises.
        """
        received = bytearray()
        while len(received) < nbytes:
            try:
                received += await self.receive(nbytes - len(received))
            except anyio.EndOfStream:
                if received:
                    raise MalformedMessage("the stream ended inside a message") from None
                raise
        return bytes(received)

    async def receive_all(self, max_bytes: int) -> bytes:
        """Everything until the other side's clean end.

        Raises `MalformedMessage` if that is more than `max_bytes`, and what `receive` raises.
        """
        received = bytearray()
        async for chunk in self:
            received += chunk
            if len(received) > max_bytes:
                raise MalformedMessage(f"more than {max_bytes} bytes came")
        return bytes(received)

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send all of it; returns when it is taken over within the receiver's window.

        Cancelled meanwhile, it resets the stream: an unknown part may have gone.
        """
        if type(item) is not bytes:
            item = memoryview(item).cast("B")  # a number would be so many zeros to `bytes`
        try:
            await self._muxed.send(item)  # type: ignore[arg-type]
        except _ENDINGS as error:
            raise self._told(error) from error.__cause__
        except anyio.get_cancelled_exc_class():
            self.reset()
            raise

    async def send_eof(self) -> None:
        """End the writing half cleanly; reading goes on."""
        try:
            await self._muxed.send_eof()
        except _ENDINGS as error:
            raise self._told(error) from error.__cause__
        self._write_ended = True
        self._finish_if_ended()

    async def aclose(self) -> None:
        """Close both halves; the other side sees a clean end of what was sent."""
        try:
            await self._muxed.aclose()
        except _ENDINGS as error:
            raise self._told(error) from error.__cause__
        finally:
            self._finished()

    def reset(self) -> None:
        """End both halves at once; the other side sees a reset."""
        self._muxed.reset()
        self._finished()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if exc_type is None:
            await self.aclose()
        else:
            self.reset()

    def _told(self, error: Exception) -> Exception:
        """The error with the stream's name; one that this side has closed counts as before."""
        if not isinstance(error, anyio.ClosedResourceError):
            self._finished()
        return of_stream(error, self.protocol, self.peer)

    def _finish_if_ended(self) -> None:
        if self._read_ended and self._write_ended:
            self._finished()

    def _finished(self) -> None:
        if self._on_finished is not None:
            report, self._on_finished = self._on_finished, None
            report()


def _reset(muxed: MuxedStream, report: Callable[[], None]) -> Callable[[], None]:
    def reset() -> None:
        muxed.reset()
        report()

    return reset
