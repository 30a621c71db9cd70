"""FramedStream: messages over a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import anyio

from peerloom import MalformedMessage

from ._codecs import SLOW_CODEC_BYTES, Codec, Message, RawCodec
from ._frames import FrameDecoder, encode_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom import PeerId, Stream

    Offload = Callable[[Callable[[], Any]], Awaitable[Any]]

_READ_BYTES: Final = 128 * 1024


class FramedStream:
    """Messages to and from a peer, in order; each is sent whole or the stream is reset.

    An async iterator of messages, and an async context manager that closes it (or resets it,
    when the block fails). One task may send while another receives; several may send.

    Attributes:
        peer: who is at the other end.
        protocol: the protocol id agreed on.
    """

    def __init__(self, stream: Stream, codec: Codec, offload: Offload) -> None:
        """Frame a stream; `offload` runs what would hold the event loop elsewhere."""
        self.peer: PeerId = stream.peer
        self.protocol: str = stream.protocol
        self._stream = stream
        self._codec = codec
        self._offload = offload
        self._decoder = FrameDecoder()
        self._sending = anyio.Lock()
        self._used = anyio.Event()

    def __repr__(self) -> str:
        return f"<FramedStream {self.protocol} with {self.peer}>"

    async def send(self, message: Message | bytes) -> None:
        """Send one message; returns when it is taken over within the receiver's window.

        Raises ValueError when it does not fit into a frame (8 MiB with its codec), and then
        nothing is sent; `StreamReset`. Cancelled half-way, it resets the stream.
        """
        self._used.set()
        frame = encode_frame(await self._encode(message))
        async with self._sending:
            await self._stream.send(frame)

    async def receive(self) -> Message:
        """The next message.

        Raises `anyio.EndOfStream` at the clean end between two messages, `StreamReset` after a
        reset, and `MalformedMessage` at an end inside a frame, at a frame over 8 MiB, and at one
        that the codec cannot read: then the stream is reset.
        """
        self._used.set()
        try:
            return await self._decode(await self._next_frame())
        except MalformedMessage:
            self.reset()
            raise

    async def send_eof(self) -> None:
        """Say that no message follows; receiving goes on."""
        self._used.set()
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close both directions; the other side sees a clean end."""
        self._used.set()
        await self._stream.aclose()

    def reset(self) -> None:
        """End both directions at once; what is under way is lost, and both sides know it."""
        self._used.set()
        self._stream.reset()

    async def wait_used(self) -> None:
        """Return once somebody has done anything with this stream."""
        await self._used.wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        self._used.set()
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self.aclose()
        else:
            self.reset()

    async def _next_frame(self) -> bytes:
        while (frame := self._decoder.next_frame()) is None:
            try:
                self._decoder.feed(await self._stream.receive(_READ_BYTES))
            except anyio.EndOfStream:
                self._decoder.end_of_stream()
                raise
        return frame

    async def _encode(self, message: Message | bytes) -> bytes:
        whole = message if isinstance(message, Message) else Message(message)
        if not isinstance(whole.data, (bytes, bytearray, memoryview)):
            raise TypeError(f"expected bytes, found {whole.data!r}: text becomes some by encode()")
        if self._is_quick(whole.data):
            return self._codec.encode(whole)
        payload: bytes = await self._offload(lambda: self._codec.encode(whole))
        return payload

    async def _decode(self, payload: bytes) -> Message:
        if self._is_quick(payload):
            return self._codec.decode(payload)
        message: Message = await self._offload(lambda: self._codec.decode(payload))
        return message

    def _is_quick(self, data: bytes) -> bool:
        return len(data) <= SLOW_CODEC_BYTES or isinstance(self._codec, RawCodec)
