"""OptimisticStream: data goes out behind the proposal of a protocol, before it is agreed to.

libp2p/specs, connections: a peer that refuses takes what follows the proposal for further
proposals, and resets the stream; no handler ever sees any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import NegotiationFailed, ProtocolNotSupported, StreamReset
from peerloom._links import MuxedStream

from ._negotiate import NEGOTIATION_SECONDS, STREAM_READ_BYTES, hear_out, no_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom._errors import PeerloomError
    from peerloom._peer_id import PeerId

    from ._multistream import Proposer

# What goes out before the answer: more would only wait in the window of a peer that refuses.
MAX_EARLY_BYTES: Final = 64 * 1024


class Unanswered:
    """The streams of a node that wait for the answer to a proposal, and how long they may.

    A time limit of its own for each of them was a twentieth of what it takes to open a stream.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._deadlines: dict[OptimisticStream, float] = {}  # the earliest first

    def add(self, stream: OptimisticStream) -> None:
        """This one waits from now on."""
        self._deadlines[stream] = self._now() + NEGOTIATION_SECONDS

    def remove(self, stream: OptimisticStream) -> None:
        """This one waits no more."""
        del self._deadlines[stream]

    def give_up_overdue(self) -> None:
        """End those that have waited too long; to be called every few seconds."""
        now = self._now()
        for stream in [one for one, deadline in self._deadlines.items() if deadline <= now]:
            stream.give_up()


class OptimisticStream(MuxedStream):
    """A muxed stream on which a protocol has been proposed; see `MuxedStream`.

    The answer is awaited by the first `receive`, by `send_eof` and `aclose`, and by `send` once
    64 KiB are out: these raise `ProtocolNotSupported` or `NegotiationFailed` if there is no
    agreement, `StreamReset` if the other side, confused by what followed, cuts the stream off.
    """

    def __init__(
        self,
        muxed: MuxedStream,
        proposer: Proposer,
        peer: PeerId,
        refused: Callable[[], None],
        unanswered: Unanswered,
    ) -> None:
        """Take over a stream whose proposal is sent; `refused` hears if nothing comes of it."""
        self._muxed = muxed
        self._proposer = proposer
        self._peer = peer
        self._refused = refused
        self._unanswered = unanswered
        self._hearing = False
        self._heard: anyio.Event | None = None
        self._agreed = False
        self._failure: PeerloomError | None = None
        self._early = b""
        self._sent = 0

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes, at least one."""
        if not self._agreed:
            await self._agree()
        if self._early:
            chunk, self._early = self._early[:max_bytes], self._early[max_bytes:]
            return chunk
        return await self._muxed.receive(max_bytes)

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        if self._agreed:
            await self._muxed.send(item)  # type: ignore[arg-type]  # streams take any buffer
            return
        left = memoryview(item)
        early = left[: MAX_EARLY_BYTES - self._sent]
        self._sent += len(early)
        await self._muxed.send(early)  # type: ignore[arg-type]
        left = left[len(early) :]
        if left:
            await self._agree()
            await self._muxed.send(left)  # type: ignore[arg-type]

    async def send_eof(self) -> None:
        """End the writing half, once there is an agreement.

        js-libp2p never tells its reader of an end that comes before that.
        """
        if not self._agreed:
            await self._agree()
        await self._muxed.send_eof()

    async def aclose(self) -> None:
        """Close both halves, once it is known that what was sent is for somebody."""
        try:
            if not self._agreed and self._failure is None:
                await self._agree()
        except BaseException:
            self._muxed.reset()
            raise
        await self._muxed.aclose()

    def reset(self) -> None:
        """End both halves at once."""
        self._muxed.reset()

    async def _agree(self) -> None:
        """Hear the answer, or wait for the task that does."""
        while not self._agreed:
            if self._failure is not None:
                raise self._failure
            if self._hearing:
                self._heard = self._heard or anyio.Event()
                await self._heard.wait()
            else:
                await self._hear_alone()

    async def _hear_alone(self) -> None:
        self._hearing = True
        try:
            await self._hear_answer()
        finally:
            self._hearing = False
            if self._heard is not None:
                self._heard.set()
                self._heard = None

    async def _hear_answer(self) -> None:
        self._unanswered.add(self)
        try:
            _, self._early = await hear_out(
                self._proposer, self._muxed.send, lambda: self._muxed.receive(STREAM_READ_BYTES)
            )
            self._agreed = True
        except ProtocolNotSupported as error:
            self._refused()
            raise self._failed(ProtocolNotSupported(self._peer, error.protocols)) from None
        except (NegotiationFailed, StreamReset) as error:
            if self._failure is not None:  # given up
                raise self._failure from None
            self._refused()
            raise self._failed(error) from None
        finally:
            self._unanswered.remove(self)

    def give_up(self) -> None:
        """Wait no longer: who does so gets `NegotiationFailed`."""
        self._failed(no_answer())

    def _failed(self, error: PeerloomError) -> PeerloomError:
        self._failure = error
        self._muxed.reset()
        return error
