"""What a QUIC stream does without waiting, so that a stream with its proposal needs no task."""

from __future__ import annotations

import anyio
import pytest

from peerloom._errors import StreamReset
from peerloom._links import READ_NOW_BYTES

from .quic_kit import linked, until

SAME = [("qh3", "qh3"), ("aioquic", "aioquic")]


@pytest.fixture(params=SAME, ids=lambda pair: pair[0])
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


async def test_what_needs_no_waiting_is_done_at_once(pair) -> None:
    async with linked(pair, send_buffer_bytes=1000) as ends:
        here, there = await ends.stream()
        assert there.receive_now() == b""

        assert here.send_now(bytes(600))
        assert here.send_now(bytes(401)) is False  # there is no room for all of it
        await until(lambda: there.receive_now() == bytes(600))
        assert ends.accepter.unread_bytes == 0

        await here.send(bytes(5000))
        await until(lambda: len(there.receive_now()) == READ_NOW_BYTES)
        here.reset()
        with pytest.raises(StreamReset):
            here.send_now(b"late")


async def test_who_receives_already_is_not_robbed(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        got: list[bytes] = []

        async def receive() -> None:
            got.append(await there.receive())

        tasks.start_soon(receive)
        await until(lambda: there.starves)
        await here.send(b"for the task")
        while not got:
            assert there.receive_now() == b""
            await anyio.sleep(0.001)
        assert got == [b"for the task"]


@pytest.mark.parametrize("how", ["reset", "ended and stopped"])
async def test_streams_that_are_over_before_anybody_takes_them_do_not_wait(pair, how) -> None:
    async with linked(pair, max_inbound_streams=4) as ends:
        for _ in range(50):
            stream = await ends.dialer.open_stream()
            if how == "reset":
                await stream.send(b"lost")
                stream.reset()
            else:
                await stream.send_eof()
                ends.dialer._engine.stop(stream.id)
                ends.dialer.transmit()
        assert len(ends.accepter.streams.accepted) <= 4

        here = await ends.dialer.open_stream()
        await here.send(b"stays")
        waiting = ends.accepter.streams.accepted
        await until(lambda: [each.received.size for each in waiting.values()] == [len(b"stays")])
        there = await ends.accepter.accept_stream()
        assert await there.receive() == b"stays"
