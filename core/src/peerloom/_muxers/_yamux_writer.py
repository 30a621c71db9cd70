"""LinkWriter: who hands a link's pipe what its session has to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio.lowlevel import checkpoint

from peerloom._links import EagerPipe
from peerloom._wakeup import wakeup_kind

from ._taking_turns import TURN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import ByteStream

    from peerloom._links import Buffer, RecordLayer

    from ._yamux_session import YamuxSession
    from ._yamux_streams import LinkStreams

# How long the writer waits for more: between a stream that comes in and what its handler says
# stand the turns of who accepts it, of the event loop and of the handler. For less if nobody is
# expected to add to what there is, and not at all if who speaks waits for room.
TURNS_TO_SPEAK: Final = 3
TURNS_TO_ADD: Final = 1


class LinkWriter:
    """Writes by a task of its own, `step`, or by one that speaks and waits, `write_now`."""

    def __init__(
        self,
        pipe: ByteStream,
        records: RecordLayer,
        session: YamuxSession,
        now: Callable[[], float],
        streams: LinkStreams,
    ) -> None:
        self._pipe = pipe
        self._eager = pipe if isinstance(pipe, EagerPipe) else None
        self._records = records
        self._session = session
        self._now = now
        self._streams = streams
        self._work = wakeup_kind()()
        self._unsent: Buffer = b""
        self._sending = False
        self._turns = TURNS_TO_SPEAK
        self._turn_began = now()

    def wake(self, turns: int = TURNS_TO_SPEAK) -> None:
        """There may be something to send, to which others may add for so many turns."""
        self._turns = min(self._turns, turns)
        self._work.set()

    def wait(self) -> Awaitable[None]:
        """Until there may be something to send."""
        return self._work.wait()

    async def step(self) -> None:
        """Send something, or wait until there may be something.

        Raises `RecordError` and what the pipe raises.
        """
        if self._session.has_output or self._unsent:
            await self.write()
        else:
            await self._work.wait()
            await self._let_speak()
            self._turn_began = self._now()

    async def write(self) -> bool:
        """Make one write, if there is something to send; raises as `step` does."""
        await self.write_rest()
        if not self._session.has_output:
            return False
        began = self._now()
        sealed = self._sealed_output(began)
        if sealed:
            await self._send(sealed)
            await self._written(len(sealed), began)
        return bool(sealed)

    async def write_rest(self) -> None:
        """What `write_now` could not get rid of."""
        unsent, self._unsent = self._unsent, b""
        if unsent:
            await self._send(unsent)

    def write_now(self) -> bool:
        """Make one write without waiting, if that can be; whether nothing waits any more.

        Raises `RecordError`.
        """
        if self._eager is None or self._sending:
            return False
        sealed = self._sealed_output(self._now())
        if sealed and (sent := self._eager.send_now(sealed)) < len(sealed):
            self._sending = True
            self._unsent = memoryview(sealed)[sent:]
            self._work.set()
        return not self._session.has_output

    async def _let_speak(self) -> None:
        """Whoever spoke may go on, or send it while waiting: one write costs as much as that."""
        turns = 0
        while turns < self._turns and self._session.has_output:
            turns += 1
            await checkpoint()
        self._turns = TURNS_TO_SPEAK

    def _sealed_output(self, now: float) -> Buffer:
        pieces = self._session.data_to_send(now)
        self._streams.wake_touched()
        return self._records.seal(pieces) if pieces else b""

    async def _send(self, data: Buffer) -> None:
        self._sending = True
        try:
            await self._pipe.send(data)  # type: ignore[arg-type]  # pipes take any buffer
        finally:
            self._sending = False

    async def _written(self, size: int, began: float) -> None:
        now = self._now()
        self._session.written(size, now - began)
        if now - self._turn_began > TURN_SECONDS:
            await checkpoint()
            self._turn_began = self._now()
