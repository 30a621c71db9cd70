"""Two sessions against each other, in any order, with any deliveries: nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from peerloom._errors import StreamReset
from peerloom._muxers._yamux_session import YamuxSession
from peerloom._muxers._yamux_settings import YamuxSettings
from peerloom._muxers._yamux_state import Reset
from peerloom._muxers._yamux_unread import shed
from peerloom._muxers._yamux_window import WindowBudget
from peerloom._unread import UnreadLedger

INITIAL = 256 * 1024


MAX_STREAMS = 5
SIZES = st.sampled_from([1, 1000, 65_536, 150_000, 300_000, 2**21])
SELDOM = st.integers(0, 2).map(lambda n: n == 2)
WORDS = b"".join(n.to_bytes(3, "big") for n in range(2**20))


def pattern(start, length):
    """Bytes that tell where in the stream they belong."""
    start %= len(WORDS)
    piece = WORDS[start : start + length]
    return piece if len(piece) == length else piece + pattern(0, length - len(piece))


class Side:
    def __init__(self, bounds, *, dialer):
        self.ledger = UnreadLedger(0)
        self.session = YamuxSession(
            dialer=dialer,
            settings=bounds,
            now=0.0,
            budget=WindowBudget(bounds.max_window_growth_bytes, self.ledger),
        )
        self.wire = bytearray()  # what this side has said and the other has not heard
        self.ends = {}

    def pull(self, now):
        data = b"".join(self.session.data_to_send(now))
        self.wire += data
        return bool(data)

    def hear(self, data, now):
        more = self.session.receive_data(data, now)
        while more:
            more = self.session.receive_more(now)
        while (state := self.session.accept_stream()) is not None:
            self.ends[state.id] = End(state)


class End:
    """One end of a stream, and what its application has done and seen."""

    def __init__(self, state):
        self.state = state
        self.written = 0
        self.read = 0
        self.eof_written = False
        self.gone = False


class TwoSessions(RuleBasedStateMachine):
    ends = Bundle("ends")

    @initialize(
        window=st.sampled_from([INITIAL, 300_000, 2**20, 2**24]),
        growth=st.sampled_from([0, 100_000, 2**25]),
        buffer=st.sampled_from([70_000, 2**20]),
        streams=st.sampled_from([1, 3, 256]),
    )
    def start(self, window, growth, buffer, streams):
        bounds = YamuxSettings(
            max_stream_window_bytes=window,
            max_window_growth_bytes=growth,
            max_inbound_streams=streams,
            send_buffer_bytes=buffer,
            linger_seconds=1e9,
        )
        self.sides = [Side(bounds, dialer=True), Side(bounds, dialer=False)]
        self.limit = window
        self.opened = 0
        self.now = 0.0

    def end_of(self, which, *, flip):
        side, number = which
        side = 1 - side if flip else side
        return self.sides[side].session, self.sides[side].ends.get(number)

    @precondition(lambda self: self.opened < MAX_STREAMS)
    @rule(target=ends, side=st.sampled_from([0, 1]))
    def open(self, side):
        self.opened += 1
        state = self.sides[side].session.open_stream(self.now)
        self.sides[side].ends[state.id] = End(state)
        return (side, state.id)

    @rule(which=ends, flip=st.booleans(), length=SIZES)
    def write(self, which, flip, length):
        session, end = self.end_of(which, flip=flip)
        if end is None or end.eof_written or end.gone:
            return
        try:
            end.written += session.write(end.state, pattern(end.written, length))
        except StreamReset:
            assert end.state.reset is not None

    @rule(which=ends, length=SIZES, times=st.integers(2, 5))
    def write_again_and_again(self, which, length, times):
        for _ in range(times):
            self.write(which, flip=False, length=length)
            self.pull(which[0], 1)

    @rule(which=ends, flip=st.booleans(), most=SIZES)
    def read(self, which, flip, most):
        session, end = self.end_of(which, flip=flip)
        if end is not None and not end.gone:
            self.take(session, end, most)

    def take(self, session, end, most):
        data = session.read(end.state, most)
        assert len(data) <= most
        assert data == pattern(end.read, len(data))
        end.read += len(data)
        return data

    @rule(which=ends, flip=st.booleans(), really=SELDOM)
    def write_eof(self, which, flip, really):
        session, end = self.end_of(which, flip=flip)
        if really and end is not None and not end.gone:
            session.write_eof(end.state)
            end.eof_written = True

    @rule(which=ends, flip=st.booleans(), really=SELDOM)
    def reset(self, which, flip, really):
        session, end = self.end_of(which, flip=flip)
        if really and end is not None:
            session.reset(end.state)
            end.gone = True

    @rule(which=ends, flip=st.booleans(), really=SELDOM)
    def close(self, which, flip, really):
        session, end = self.end_of(which, flip=flip)
        if really and end is not None:
            session.close(end.state, self.now)
            end.gone = end.eof_written = True

    @rule(side=st.sampled_from([0, 1]), tight=st.booleans())
    def fill_or_empty_other_connections(self, side, tight):
        self.sides[side].ledger.total = int(tight)

    @rule(side=st.sampled_from([0, 1]), nbytes=SIZES, really=SELDOM)
    def shed(self, side, nbytes, really):
        session = self.sides[side].session
        if really:
            before = session.unread.size
            shed(session, nbytes)
            assert session.unread.size <= max(0, before - nbytes)

    @rule(side=st.sampled_from([0, 1]))
    def ping(self, side):
        self.sides[side].session.ping()

    @rule(side=st.sampled_from([0, 1]), rounds=st.integers(1, 3))
    def pull(self, side, rounds):
        for _ in range(rounds):
            self.sides[side].pull(self.now)

    @rule(side=st.sampled_from([0, 1]), length=st.one_of(st.integers(1, 40), SIZES))
    def deliver(self, side, length):
        wire = self.sides[side].wire
        if wire:
            data = bytes(wire[:length])
            del wire[:length]
            self.sides[1 - side].hear(data, self.now)

    @rule(side=st.sampled_from([0, 1]))
    def pull_and_deliver_all(self, side):
        self.pull(side, 4)
        self.deliver(side, 2**30)

    @rule(seconds=st.sampled_from([0.001, 0.1, 10.0]))
    def wait(self, seconds):
        self.now += seconds

    @invariant()
    def windows_are_kept(self):
        for side in getattr(self, "sides", ()):
            for state in side.session.streams:
                window = state.window
                assert window.size <= max(self.limit, INITIAL)
                assert state.send_window >= 0
                if state.closed_at is not None or state.reset is not None:
                    assert not state.received.size or state.reset is Reset.THERE
                elif side.session._body_of is not state:
                    assert window.available + state.received.size + window._read == window.size

    @invariant()
    def what_is_unread_is_known(self):
        for side in getattr(self, "sides", ()):
            unread = sum(end.state.received.size for end in side.ends.values())
            assert side.session.unread.size == unread

    def teardown(self):
        """At quiescence: all that was written has arrived, unless the stream was reset."""
        if not hasattr(self, "sides"):
            return
        self.talk_until_quiet()
        one, other = (side.ends for side in self.sides)
        for number in one.keys() | other.keys():
            ends = one.get(number), other.get(number)
            if None in ends:
                (lonely,) = (end for end in ends if end is not None)
                assert lonely.state.reset is not None
                continue
            for here, there in (ends, ends[::-1]):
                self.compare(here, there)
        self.nothing_is_left()

    def talk_until_quiet(self):
        quiet = False
        while not quiet:
            quiet = True
            for side, other in (self.sides, self.sides[::-1]):
                while side.pull(self.now):
                    quiet = False
                if side.wire:
                    quiet = False
                    other.hear(bytes(side.wire), self.now)
                    side.wire.clear()
                for end in side.ends.values():
                    while not end.gone and self.take(side.session, end, 2**30):
                        quiet = False

    def compare(self, writer, reader):
        was_reset = writer.state.reset or reader.state.reset
        if not was_reset and not reader.gone:
            assert reader.read == writer.written
            assert reader.state.eof_received == writer.eof_written
        assert reader.read <= writer.written
        if writer.state.reset is not None and not reader.gone:
            assert reader.state.over

    def nothing_is_left(self):
        """When the applications let go of everything, every place is free again."""
        for side in self.sides:
            for end in side.ends.values():
                side.session.reset(end.state)
        self.talk_until_quiet()
        for side in self.sides:
            assert not side.session.streams
            assert side.session._senders == 0
            assert side.session.unread.size == 0
            assert not side.session.unread._over
            assert side.session._table._inbound == side.session._table._outbound == 0
            assert side.session._table.unacknowledged == 0
            assert side.session._budget.left == side.session._settings.max_window_growth_bytes


TestTwoSessions = TwoSessions.TestCase
TestTwoSessions.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestTwoSessions = pytest.mark.timeout(120)(TestTwoSessions)
