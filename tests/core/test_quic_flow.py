"""Flow control over QUIC: a reader that does not read holds its sender, in bounded memory."""

from __future__ import annotations

import hashlib
import logging

import anyio
import pytest

from peerloom._errors import StreamReset
from peerloom._transports import QuicSettings
from peerloom._transports._quic_backlog import Backlog, Step

from .quic_kit import MIB, linked, read_all, until

SETTINGS = QuicSettings()
BOUND_BYTES = SETTINGS.crowded_bytes + 2 * SETTINGS.connection_window_bytes
PIECE = bytes(range(256)) * 256
SAME = [("qh3", "qh3"), ("aioquic", "aioquic")]


@pytest.fixture(params=SAME, ids=lambda pair: pair[0])
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


class Sending:
    """Sends pieces until told to stop, counting them."""

    def __init__(self, stream, nbytes: int) -> None:
        self.stream = stream
        self.sent = 0
        self.nbytes = nbytes
        self.error: Exception | None = None

    async def __call__(self) -> None:
        try:
            while self.sent < self.nbytes:
                await self.stream.send(PIECE)
                self.sent += len(PIECE)
            await self.stream.send_eof()
        except StreamReset as error:
            self.error = error

    async def standstill(self) -> None:
        last = -1
        while self.sent != last:
            last = self.sent
            await anyio.sleep(0.3)


async def test_a_reader_that_never_reads_holds_its_sender(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        sending = Sending(here, 24 * MIB)
        tasks.start_soon(sending)
        with anyio.fail_after(20):
            await sending.standstill()
        assert 0 < sending.sent <= BOUND_BYTES
        assert there.received.size <= BOUND_BYTES
        got = await read_all(there, seconds=40)
        assert len(got) == sending.sent == 24 * MIB
        assert hashlib.sha256(got).digest() == hashlib.sha256(PIECE * 384).digest()
        assert ends.accepter.streams.backlog.unread == 0


async def test_other_streams_pass_one_that_is_not_read(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        sending = Sending(here, 24 * MIB)
        tasks.start_soon(sending)
        with anyio.fail_after(20):
            await sending.standstill()
        await anyio.sleep(1.1)
        other_here, other_there = await ends.stream()
        for _ in range(2):
            await other_here.send(b"not held up")
            with anyio.fail_after(3):
                assert await other_there.receive() == b"not held up"
        assert there.broken is None
        assert len(await read_all(there, seconds=40)) == 24 * MIB


async def test_a_stream_that_stops_others_too_long_is_reset_and_reported(caplog) -> None:
    async with (
        linked(stopped_seconds=0.5, crowded_bytes=0) as ends,
        anyio.create_task_group() as tasks,
    ):
        here, there = await ends.stream()
        other_here, other_there = await ends.stream()
        sending = Sending(here, 24 * MIB)
        tasks.start_soon(sending)
        with anyio.fail_after(20):
            await sending.standstill()
        await anyio.sleep(1.1)
        with caplog.at_level(logging.WARNING, "peerloom.quic"):
            await other_here.send(b"held up")
            with anyio.fail_after(5):
                assert await other_there.receive() == b"held up"
        assert "stopped the other streams" in caplog.text
        with pytest.raises(StreamReset, match="not read for too long"):
            await there.receive()
        await until(lambda: sending.error)
        assert ends.accepter.streams.backlog.unread == 0


async def test_a_stream_that_stops_nobody_may_wait_unread() -> None:
    async with linked(stopped_seconds=0.2) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        sending = Sending(here, 24 * MIB)
        tasks.start_soon(sending)
        with anyio.fail_after(20):
            await sending.standstill()
        await anyio.sleep(1.5)
        assert there.broken is None
        assert len(await read_all(there, seconds=40)) == 24 * MIB


async def test_closing_an_unread_stream_frees_the_others(pair) -> None:
    async with linked(pair) as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        other_here, other_there = await ends.stream()
        sending = Sending(here, 24 * MIB)
        tasks.start_soon(sending)
        with anyio.fail_after(20):
            await sending.standstill()
        await there.aclose()
        await other_here.send(b"free")
        with anyio.fail_after(3):
            assert await other_there.receive() == b"free"
        await until(lambda: sending.error)


async def test_an_end_that_came_behind_unread_data_is_seen_behind_it() -> None:
    async with linked() as ends:
        here, there = await ends.stream()
        await here.send(bytes(MIB))
        await here.send(bytes(MIB))
        await here.aclose()
        await until(lambda: there.received.size > SETTINGS.pause_bytes)
        await ends.dialer.aclose()
        assert len(await read_all(there)) == 2 * MIB


async def test_a_hundred_senders_buffer_little() -> None:
    async with linked() as ends, anyio.create_task_group() as tasks:
        for _ in range(100):
            stream = await ends.dialer.open_stream()
            tasks.start_soon(Sending(stream, 2 * MIB))
        await anyio.sleep(1)
        assert ends.dialer._engine.unsent() <= 16 * MIB
        tasks.cancel_scope.cancel()


# --- the policy, without a connection ----------------------------------------------------------

LIMITS = QuicSettings(pause_bytes=100, crowded_bytes=400, stopped_seconds=10)


def backlog(unread: int) -> Backlog:
    made = Backlog(LIMITS)
    made.unread = unread
    return made


def test_nothing_is_held_while_little_is_unread() -> None:
    assert backlog(100).decide(0, reader_starves=True) is Step.NOTHING


def test_it_holds_above_a_bound_and_releases_at_half_of_it() -> None:
    held = backlog(101)
    assert held.decide(0, reader_starves=False) is Step.HOLD
    held.unread = 51
    assert held.decide(1, reader_starves=False) is Step.NOTHING
    held.unread = 50
    assert held.decide(2, reader_starves=False) is Step.RELEASE
    assert not held.held


def test_what_follows_at_once_is_the_held_senders_own() -> None:
    held = backlog(101)
    held.decide(0, reader_starves=False)
    for tenth in range(50):
        held.arrived(tenth / 10)
        assert held.decide(tenth / 10, reader_starves=False) is Step.NOTHING


def test_what_follows_after_a_silence_is_anothers() -> None:
    held = backlog(101)
    held.decide(0, reader_starves=False)
    held.arrived(1.5)
    assert held.decide(1.5, reader_starves=False) is Step.ADMIT
    assert held.decide(1.5, reader_starves=False) is Step.NOTHING


def test_crowded_it_waits_before_it_sheds() -> None:
    held = backlog(401)
    held.decide(0, reader_starves=False)
    held.arrived(2)
    assert held.decide(2, reader_starves=False) is Step.NOTHING
    assert held.decide(11.9, reader_starves=False) is Step.NOTHING
    assert held.decide(12, reader_starves=False) is Step.SHED
    assert held.decide(12, reader_starves=False) is Step.NOTHING
