"""Streams that wait to be taken."""

from __future__ import annotations

import anyio
import pytest

from peerloom import NodeClosed
from peerloom_stream import IncomingStreams
from peerloom_stream._incoming import MAX_WAITING


class Offered:
    """What a queue needs of a stream."""

    def __init__(self) -> None:
        self.was_reset = False

    def reset(self) -> None:
        self.was_reset = True


def queue(closed: list[str]) -> IncomingStreams[Offered]:
    return IncomingStreams("/test", on_close=lambda: closed.append("/test"))


async def test_streams_that_nobody_takes_wait_up_to_a_bound_and_are_then_refused() -> None:
    incoming = queue([])

    assert [incoming.offer(Offered()) for _ in range(MAX_WAITING + 2)] == (
        [True] * MAX_WAITING + [False, False]
    )
    await incoming.receive()
    assert incoming.offer(Offered())


async def test_streams_are_taken_in_the_order_of_their_arrival() -> None:
    incoming, offered = queue([]), [Offered() for _ in range(3)]
    for stream in offered:
        incoming.offer(stream)

    assert [await incoming.receive() for _ in offered] == offered


async def test_every_waiting_taker_gets_one_stream() -> None:
    incoming, taken = queue([]), list[Offered]()

    async def take() -> None:
        taken.append(await incoming.receive())

    offered = {Offered() for _ in range(3)}
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(take)
            await anyio.wait_all_tasks_blocked()
            for stream in offered:
                incoming.offer(stream)

    assert set(taken) == offered


async def test_closing_resets_what_waits_refuses_what_comes_and_tells_its_owner_once() -> None:
    closed: list[str] = []
    incoming, waiting = queue(closed), Offered()
    incoming.offer(waiting)

    incoming.close()
    incoming.close()

    assert waiting.was_reset
    assert not incoming.offer(Offered())
    assert closed == ["/test"]
    with pytest.raises(NodeClosed, match="accept anew"):
        await incoming.receive()
