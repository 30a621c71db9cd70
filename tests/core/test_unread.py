"""What may wait unread on all connections together, and who loses streams when it is too much."""

from __future__ import annotations

import gc
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import define, field

from peerloom import Limits, StreamReset
from peerloom._links import Role
from peerloom._muxers import YamuxSettings
from peerloom._muxers._yamux_frames import DATA, FIN, INITIAL_WINDOW_BYTES, RST, SYN, WINDOW_UPDATE
from peerloom._muxers._yamux_state import Reset
from peerloom._muxers._yamux_unread import shed
from peerloom._unread import TOLD_BYTES, UnreadLedger

from .nodes import Serving, two_nodes
from .quic_kit import linked as quic_linked
from .quic_kit import until as quic_until
from .yamux_tools import deliver, frame, make_link, output, pipe_pair, session, until, waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerloom import Stream
    from peerloom._muxers._yamux_link import YamuxLink
    from peerloom._unread import LedgerEntry

KIB = 1024
MIB = 1024 * KIB


@define(eq=False)
class Holding:
    """A connection that holds streams of these sizes, in units that are worth telling."""

    ledger: UnreadLedger
    peer: Any
    streams: list[int] = field(factory=list)
    entry: LedgerEntry = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.entry = self.ledger.open(self)

    @property
    def unread_bytes(self) -> int:
        return TOLD_BYTES * sum(self.streams)

    def shed(self, nbytes: int) -> int:
        count = 0
        while nbytes > 0 and self.streams:
            nbytes -= TOLD_BYTES * self.streams.pop(self.streams.index(max(self.streams)))
            count += 1
        return count

    def hold(self, *streams: int) -> None:
        self.streams = list(streams)
        self.entry.tell(self.unread_bytes)


def test_up_to_the_limit_nothing_is_reset():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    one, other = Holding(ledger, "a"), Holding(ledger, "b")
    one.hold(60)
    other.hold(40)
    assert (ledger.total, ledger.streams_reset) == (100 * TOLD_BYTES, 0)


def test_past_it_the_peer_that_holds_most_loses_its_fullest_streams_until_it_holds_half():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    modest, greedy, again = Holding(ledger, "a"), Holding(ledger, "b"), Holding(ledger, "b")
    modest.hold(40)
    greedy.hold(5, 20)
    again.hold(10, 25, 1)
    assert modest.streams == [40]
    assert greedy.streams == [5, 20]
    assert again.streams == [1]
    assert ledger.total == 66 * TOLD_BYTES
    assert ledger.streams_reset == 2


def test_small_shares_of_many_streams_are_not_looked_for_one_by_one():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    crowd = Holding(ledger, "a")
    crowd.hold(*[1] * 101)
    assert len(crowd.streams) == 50


def test_what_was_read_since_is_found_out_before_anything_is_reset():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    reading, other = Holding(ledger, "a"), Holding(ledger, "b")
    reading.hold(90)
    reading.streams.clear()
    other.hold(80)
    assert (ledger.total, ledger.streams_reset) == (80 * TOLD_BYTES, 0)


def test_what_was_too_little_to_tell_is_found_by_a_recount():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    crowd = [Holding(ledger, "a", [30, 30]) for _ in range(2)]
    ledger.recount()
    assert ledger.total <= ledger.limit_bytes
    assert ledger.streams_reset == 2
    assert crowd


def test_windows_are_tight_from_half_of_the_limit_on():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    holding = Holding(ledger, "a")
    holding.hold(50)
    assert not ledger.tight
    holding.hold(51)
    assert ledger.tight


def test_a_connection_that_nobody_has_any_more_counts_no_longer():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    Holding(ledger, "a").hold(70)
    gc.collect()
    ledger.recount()
    assert ledger.total == 0


def test_a_connection_that_can_reset_nothing_does_not_hang_the_node():
    ledger = UnreadLedger(100 * TOLD_BYTES)
    _Stubborn(ledger, "a").hold(200)
    assert ledger.total == 200 * TOLD_BYTES


class _Stubborn(Holding):
    def shed(self, nbytes: int) -> int:
        return 0


def test_the_warning_names_the_setting_and_the_peer_once_a_minute(caplog):
    now = [0.0]
    ledger = UnreadLedger(100 * TOLD_BYTES, lambda: now[0])
    greedy = Holding(ledger, "QmGreedy")
    with caplog.at_level(logging.WARNING, "peerloom.swarm"):
        for seconds in (0, 30, 61):
            now[0] = seconds
            greedy.hold(0)
            greedy.hold(101)
    first, second = [record.getMessage() for record in caplog.records]
    assert f"limits.unread_bytes is {ledger.limit_bytes}" in first
    assert "1 streams of QmGreedy" in first
    assert second == first


# --- yamux -----------------------------------------------------------------------------------


def _holding(*sizes: int, flags: int = 0):
    """A session whose peer has filled a stream to each of these sizes."""
    listener = session()
    for number, size in enumerate(sizes):
        deliver(listener, frame(DATA, SYN | flags, 2 * number + 1, size))
    return listener, [waiting(listener) for _ in sizes]


def test_yamux_resets_the_fullest_streams_and_no_more_than_it_must():
    listener, streams = _holding(100, 300, 200)
    assert listener.unread.size == 600
    assert shed(listener, 301) == 2
    assert [stream.reset for stream in streams] == [None, Reset.SHED, Reset.SHED]
    assert listener.unread.size == 100
    assert output(listener).count(frame(WINDOW_UPDATE, RST, 3, 0)) == 1


def test_yamux_resets_a_stream_that_is_over_and_still_unread():
    listener, (stream,) = _holding(100, flags=FIN)
    listener.write_eof(stream)
    output(listener)
    assert stream.forgotten
    assert listener.unread.size == 100
    assert shed(listener, 1) == 1
    assert listener.unread.size == 0
    assert stream.reset is Reset.SHED


def test_yamux_forgets_a_stream_that_is_over_as_soon_as_it_is_read():
    listener, (stream,) = _holding(100, flags=FIN)
    listener.write_eof(stream)
    output(listener)
    assert listener.read(stream, 60)
    assert listener.unread.size == 40
    assert listener.read(stream, 60)
    assert shed(listener, 1) == 0
    assert listener.unread.size == 0


def test_yamux_keeps_nothing_of_streams_that_were_reset_before_anybody_took_them():
    listener = session()
    for number in range(1, 2001, 2):
        deliver(listener, frame(DATA, SYN, number, 20) + frame(WINDOW_UPDATE, RST, number, 0))
    assert listener.unread.size == 0
    assert not listener.unread._over


def test_yamux_lets_go_of_streams_that_are_over_when_they_were_read():
    listener = session()
    for number in range(1, 2001, 2):
        deliver(listener, frame(DATA, SYN, number, 20))
        stream = waiting(listener)
        deliver(listener, frame(WINDOW_UPDATE, RST, number, 0))
        assert listener.read(stream, 20)
        assert not listener.read(stream, 20)
    assert listener.unread.size == 0
    assert len(listener.unread._over) < 50


def test_yamux_counts_nothing_of_what_it_drops():
    listener, streams = _holding(100, 200)
    listener.close(streams[0], 0.0)
    listener.reset(streams[1])
    deliver(listener, frame(DATA, 0, 1, 50) + frame(DATA, 0, 3, 50))
    assert listener.unread.size == 0


@asynccontextmanager
async def _links(
    count: int, ledger: UnreadLedger
) -> AsyncIterator[list[tuple[YamuxLink, YamuxLink]]]:
    """Links of a node that share the ledger, each with its other side."""
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(anyio.create_task_group())
        ends = []
        for _ in range(count):
            one, other = pipe_pair()
            pair = (
                make_link(one, Role.DIALER),
                make_link(other, Role.LISTENER, ledger=ledger),
            )
            for link in pair:
                tasks.start_soon(link.run)
            ends.append(pair)
        yield ends
        tasks.cancel_scope.cancel()


async def test_yamux_links_of_a_node_hold_no_more_than_the_limit_together():
    ledger = UnreadLedger(3 * INITIAL_WINDOW_BYTES)
    async with _links(4, ledger) as ends:
        readers = []
        for dialer, listener in ends:
            sender = await dialer.open_stream()
            await sender.send(bytes(INITIAL_WINDOW_BYTES))
            readers.append(await listener.accept_stream())
        await until(lambda: ledger.streams_reset)
        assert ledger.total <= ledger.limit_bytes
        assert ledger.streams_reset == 2  # of all links together: they are one peer's
        outcomes = [await _outcome(reader) for reader in readers]
    error = "reset here: too much is unread on all connections together (limits.unread_bytes)"
    assert sorted(outcomes, key=str) == [INITIAL_WINDOW_BYTES] * 2 + [error] * 2


async def test_yamux_reader_of_much_resets_nothing():
    ledger = UnreadLedger(4 * MIB)
    async with _links(1, ledger) as ends, anyio.create_task_group() as tasks:
        dialer, listener = ends[0]
        sender = await dialer.open_stream()
        tasks.start_soon(sender.send, bytes(32 * MIB))
        reader = await listener.accept_stream()
        count = 0
        with anyio.fail_after(20):
            while count < 32 * MIB:
                count += len(await reader.receive(MIB))
        assert ledger.streams_reset == 0


async def _outcome(reader) -> int | str:
    count = 0
    try:
        with anyio.fail_after(5):
            while count < INITIAL_WINDOW_BYTES:
                count += len(await reader.receive())
    except StreamReset as error:
        return str(error)
    return count


# --- QUIC, and a node ------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["qh3", "aioquic"])
async def test_quic_resets_streams_past_the_limit(library):
    ledger = UnreadLedger(MIB)
    async with (
        quic_linked((library, library), ledger=ledger) as ends,
        anyio.create_task_group() as tasks,
    ):
        here, there = await ends.stream()
        tasks.start_soon(_send_until_reset, here)
        await quic_until(lambda: ledger.streams_reset, 20)
        assert ledger.total <= ledger.limit_bytes
        with pytest.raises(StreamReset, match=r"limits\.unread_bytes"):
            await there.receive()
        here, there = await ends.stream()
        await here.send(b"still here")
        assert await there.receive() == b"still here"


async def _send_until_reset(stream) -> None:
    with suppress(StreamReset):
        while True:
            await stream.send(bytes(64 * KIB))


async def test_node_says_what_is_unread_and_how_many_streams_that_cost():
    async def hold(stream: Stream) -> None:
        await anyio.sleep_forever()

    limits = Limits(unread_bytes=MIB)
    async with two_nodes(Serving(hold=hold), limits=limits) as (asking, serving):
        for _ in range(6):
            stream = await asking.client.open_stream(serving.peer_id, ["/hold/1"])
            await stream.send(bytes(200 * KIB))
        report: dict[str, Any] = {}
        with anyio.fail_after(10):
            while not report.get("reset_streams", {}).get("unread_bytes"):
                report = (await serving.client.status())["plugins"]["swarm"]["report"]
    assert 0 < report["unread_bytes"] <= MIB


def test_yamux_settings_cannot_hold_a_whole_node():
    """Why the limit is needed: what one connection may hold, of the 1,024 of a node."""
    settings, limits = YamuxSettings(), Limits()
    floor = settings.max_inbound_streams * INITIAL_WINDOW_BYTES
    assert limits.total * (floor + settings.max_window_growth_bytes) > 100 * limits.unread_bytes
