"""How a link's writer shares the loop with others."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from peerloom._muxers._taking_turns import TURN_SECONDS
from peerloom._muxers._yamux_frames import WINDOW_UPDATE
from peerloom._muxers._yamux_streams import LinkStreams
from peerloom._muxers._yamux_writer import LinkWriter

from .yamux_tools import NullRecords, Pipe, deliver, frame, session

MIB = 2**20


class Bottomless(Pipe):
    """A pipe that takes everything without a wait, half a turn each; and the clock that says so."""

    time = 0.0
    taken = 0

    def now(self) -> float:
        return self.time

    async def send(self, item: bytes) -> None:
        self.time += TURN_SECONDS / 2
        self.taken += len(item)


async def test_much_that_is_taken_at_once_leaves_the_loop_to_others_in_between() -> None:
    dialer, pipe = session(dialer=True), Bottomless(0)
    for _ in range(100):
        stream = dialer.open_stream(0.0)
        deliver(dialer, frame(WINDOW_UPDATE, 0, stream.id, MIB))
        dialer.write(stream, bytes(MIB))
    writer = LinkWriter(pipe, NullRecords(), dialer, pipe.now, LinkStreams(dialer))
    seen = {0}

    async def look() -> None:
        while dialer.has_output:
            seen.add(pipe.taken)
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        while dialer.has_output:
            await writer.step()
    assert pipe.taken > MIB
    assert len(seen) > pipe.time / TURN_SECONDS / 3
