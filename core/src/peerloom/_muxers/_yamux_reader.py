"""LinkReader: who takes what a link's pipe brings to its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom._errors import MuxerViolation, RecordError
from peerloom._links import MOST_READ_BYTES, LedPipe

from ._taking_turns import TURN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.abc import ByteStream

    from peerloom._links import RecordLayer
    from peerloom._wakeup import Wakeup

    from ._yamux_session import YamuxSession

PIECES_A_LOOK: Final = 8  # at the clock


class LinkReader:
    """Reads by a task of its own, `run`, or by one that waits for a stream and goes before it.

    To change from the one task to the other was a sixth of what an echo took.
    """

    def __init__(
        self,
        pipe: ByteStream,
        records: RecordLayer,
        session: YamuxSession,
        now: Callable[[], float],
        dispatch: Callable[[], None],
    ) -> None:
        """Call `dispatch` whenever the session has taken something in."""
        self._pipe = pipe
        self._led = pipe if isinstance(pipe, LedPipe) else None
        self._records = records
        self._session = session
        self._now = now
        self._dispatch = dispatch
        self._leader: object = None
        self._opened: Iterator[bytes] = iter(())
        self._more = False  # to be heard in another turn
        self._more_frames = False
        self._misheard: RecordError | MuxerViolation | anyio.EndOfStream | None = None

    async def run(self, early: list[bytes]) -> None:
        """Read until the other side says goodbye.

        Raises `RecordError`, `MuxerViolation`, `anyio.EndOfStream` and what the pipe raises.
        """
        self._opened = iter(early)
        await self._hear_all()
        while self._session.remote_reason is None:
            self._take_over(await self._pipe.receive(MOST_READ_BYTES))
            await self._hear_all()

    def until_readable(self, waiter: object, woken: Wakeup) -> Awaitable[None]:
        """Until something may have come for the one that waits, which is `woken` therefore.

        Where little is to be expected the first that waits reads for all.
        """
        pipe = self._led
        taken = self._leader or self._more or self._misheard
        if pipe is None or taken or not pipe.may_be_led:
            return woken.wait()
        return self._lead(pipe, waiter)

    def wake(self, waiter: object) -> None:
        """Let it look again, if it is the one that reads for all."""
        if self._leader is waiter and self._led is not None:
            self._led.interrupt()

    def let_go(self) -> None:
        """The link is over, and is kept from here no longer, nor in circles."""
        self._led = None
        self._opened = iter(())
        self._dispatch = _tell_nobody

    async def _lead(self, pipe: LedPipe, waiter: object) -> None:
        self._leader = waiter
        try:
            await pipe.lead()
        except anyio.ClosedResourceError:
            return
        finally:
            self._leader = None
        # The reader may have been told as well, and has not taken in yet what it has read.
        if not self._more and (data := pipe.receive_now(MOST_READ_BYTES)):
            self._hear_now(pipe, data)

    def _hear_now(self, pipe: LedPipe, data: bytes) -> None:
        """What needs more than a turn, or ends the link, is for the reader's task."""
        try:
            self._opened = self._records.open(data)
            over = self._hear_some() or self._session.remote_reason is not None
        except (RecordError, MuxerViolation, anyio.EndOfStream) as error:
            self._misheard = error
            over = True
        if over:
            pipe.interrupt()

    def _take_over(self, data: bytes) -> None:
        """A read, or nothing; `run` would keep its last one while it waits for the next."""
        if self._misheard is not None:
            raise self._take_misheard()
        if data:
            self._opened = self._records.open(data)

    def _take_misheard(self) -> Exception:
        """What was raised elsewhere; its frames hold this reader, which holds it no longer."""
        error, self._misheard = self._misheard, None
        assert error is not None
        return error

    async def _hear_all(self) -> None:
        while self._hear_some():
            await checkpoint()

    def _hear_some(self) -> bool:
        """Decrypt what was read and take it in, for one turn; whether there may be more."""
        session, now = self._session, self._now()
        until, taken = now + TURN_SECONDS, 0
        more = frames = self._more_frames and session.receive_more(now)
        while not more and (piece := next(self._opened, None)) is not None:
            frames = session.receive_data(piece, now)
            taken += 1
            if not piece or not taken % PIECES_A_LOOK:
                now = self._now()
            more = frames or now > until
        self._more_frames, self._more = frames, more
        self._dispatch()
        return more


def _tell_nobody() -> None:
    """Stands for a link that is over."""
