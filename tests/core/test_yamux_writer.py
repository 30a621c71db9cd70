"""How a link's writer shares the loop with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from peerloom._muxers._taking_turns import TURN_SECONDS
from peerloom._muxers._yamux_frames import WINDOW_UPDATE
from peerloom._muxers._yamux_streams import LinkStreams
from peerloom._muxers._yamux_writer import TURNS_TO_ADD, TURNS_TO_SPEAK, LinkWriter

from .yamux_tools import NullRecords, Pipe, deliver, frame, linked, session

if TYPE_CHECKING:
    import pytest

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


async def _turns_until_written(most: int) -> int:
    dialer, pipe = session(dialer=True), Bottomless(0)
    writer = LinkWriter(pipe, NullRecords(), dialer, pipe.now, LinkStreams(dialer))

    async def write() -> None:
        while not pipe.taken:
            await writer.step()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        dialer.open_stream(0.0)
        writer.wake()
        writer.wake(most)
        turns = 0
        while not pipe.taken:
            turns += 1
            await checkpoint()
    return turns


async def test_it_waits_for_more_no_longer_than_it_is_told() -> None:
    at_once, soon, patient = [
        await _turns_until_written(turns) for turns in (0, TURNS_TO_ADD, TURNS_TO_SPEAK)
    ]
    assert at_once <= soon <= patient  # trio lets tasks take their turns in any order
    assert patient - at_once >= TURNS_TO_SPEAK - 1


async def test_who_waits_for_room_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked() as ends:
        stream = await ends.dialer.open_stream()
        woken: list[int] = []
        monkeypatch.setattr(
            ends.dialer, "wake_writer", lambda turns=TURNS_TO_SPEAK: woken.append(turns)
        )
        assert stream.send_now(bytes(1))
        with anyio.move_on_after(0) as scope:
            await stream.send(bytes(64 * MIB))
        assert scope.cancelled_caught
        assert woken == [TURNS_TO_SPEAK, 0]
