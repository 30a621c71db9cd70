"""How streams and sessions of yamux end, and what pings and floods do: plain values."""

from __future__ import annotations

from itertools import product

import pytest

from peerloom._errors import LinkClosed, StreamReset
from peerloom._muxers._yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
)
from peerloom._muxers._yamux_session import FRAMES_A_TURN
from peerloom._muxers._yamux_state import Reset

from .yamux_tools import (
    Header,
    accepted,
    deliver,
    exchange,
    frame,
    headers,
    opened,
    output,
    session,
    violates,
    waiting,
)

INITIAL = 256 * 1024
NO_ACK = [0, FIN, RST, FIN | RST]
FLAG_SETS = [sum(flags) for flags in product((0, SYN), (0, ACK), (0, FIN), (0, RST))]


# --- the ends of streams -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
@pytest.mark.parametrize("flags", [FIN, FIN | ACK])
def test_a_fin_ends_one_half_in_every_form(kind, flags):
    dialer = session(dialer=True)
    stream = dialer.open_stream(0.0)
    output(dialer)
    deliver(dialer, frame(kind, flags, 1, 0))
    assert stream.eof_received
    assert stream.reset is None
    assert dialer.write(stream, b"still open") == 10


@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | FIN, RST | ACK | FIN])
def test_a_reset_is_a_reset_in_every_form(kind, flags):
    dialer = session(dialer=True)
    stream = dialer.open_stream(0.0)
    output(dialer)
    deliver(dialer, frame(kind, flags, 1, 0))
    assert stream.reset is Reset.THERE
    assert not stream.eof_received
    with pytest.raises(StreamReset):
        dialer.write(stream, b"x")


@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
def test_a_stream_may_be_opened_and_ended_in_one_frame(kind):
    listener = session()
    deliver(listener, frame(kind, SYN | FIN, 1, 0))
    stream = waiting(listener)
    assert stream.eof_received


def test_data_together_with_a_fin_comes_before_the_end():
    listener = session()
    wire = frame(DATA, SYN | FIN, 1, 5, b"hello")
    deliver(listener, wire[:-2])
    stream = waiting(listener)
    assert listener.read(stream, 10) == b"hel"
    assert not stream.eof_received
    deliver(listener, wire[-2:])
    assert stream.eof_received
    assert listener.read(stream, 10) == b"lo"


def test_an_end_is_sent_behind_the_data_in_a_frame_of_its_own():
    listener = session()
    stream = accepted(listener)
    listener.write(stream, b"bye")
    listener.write_eof(stream)
    assert headers(output(listener)) == [Header(DATA, ACK, 1, 3), Header(WINDOW_UPDATE, FIN, 1, 0)]


def test_an_end_without_data_is_preceded_by_an_acknowledgement():
    listener = session()
    listener.write_eof(accepted(listener))
    assert headers(output(listener)) == [
        Header(WINDOW_UPDATE, ACK, 1, 0),
        Header(WINDOW_UPDATE, FIN, 1, 0),
    ]


def test_an_end_waits_for_the_window():
    dialer = session(dialer=True)
    stream = dialer.open_stream(0.0)
    dialer.write(stream, bytes(INITIAL + 1))
    dialer.write_eof(stream)
    assert FIN not in [header.flags for header in headers(output(dialer))]
    deliver(dialer, frame(WINDOW_UPDATE, ACK, 1, 1))
    assert [header.flags for header in headers(output(dialer))] == [0, FIN]


def test_a_stream_is_forgotten_when_both_halves_have_ended():
    dialer, listener, here, there = opened()
    dialer.write_eof(here)
    listener.write_eof(there)
    exchange(dialer, listener)
    assert not dialer.streams
    assert not listener.streams


def test_data_behind_the_end_is_a_violation():
    listener = session()
    accepted(listener)
    deliver(listener, frame(DATA, FIN, 1, 0))
    violates(listener, frame(DATA, 0, 1, 1))


def test_a_second_end_is_tolerated():
    listener = session()
    accepted(listener)
    deliver(listener, frame(DATA, FIN, 1, 0) * 2)


def test_data_behind_both_ends_is_a_violation():
    listener = session()
    listener.write_eof(accepted(listener))
    deliver(listener, frame(DATA, FIN, 1, 0))
    output(listener)
    assert not listener.streams
    violates(listener, frame(DATA, 0, 1, 1))


def test_data_that_crossed_a_reset_is_discarded_within_the_window():
    listener = session()
    stream = accepted(listener)
    listener.reset(stream)
    deliver(listener, frame(DATA, 0, 1, 1000))
    output(listener)
    assert not listener.streams
    deliver(listener, frame(DATA, 0, 1, INITIAL - 1000))
    deliver(listener, frame(WINDOW_UPDATE, FIN, 1, 100))
    violates(listener, frame(DATA, 0, 1, 1))


def test_a_reset_in_the_middle_of_a_payload_discards_the_rest():
    listener = session()
    stream = accepted(listener)
    wire = frame(DATA, FIN, 1, 1000)
    deliver(listener, wire[:500])
    listener.reset(stream)
    deliver(listener, wire[500:] + frame(WINDOW_UPDATE, SYN, 3, 0))
    assert stream.received.size == 0
    assert waiting(listener).id == 3


def test_a_reset_drops_what_waits_to_be_sent():
    dialer, _, here, _ = opened()
    dialer.write(here, bytes(1000))
    dialer.reset(here)
    assert headers(output(dialer)) == [Header(WINDOW_UPDATE, RST, 1, 0)]
    assert dialer.write(dialer.open_stream(0.0), bytes(2**20)) == 2**20


def test_what_arrived_before_a_reset_can_be_read():
    listener = session()
    stream = accepted(listener)
    deliver(listener, frame(DATA, 0, 1, 4, b"last") + frame(DATA, RST, 1, 0))
    assert listener.read(stream, 10) == b"last"
    assert listener.read(stream, 10) == b""


@pytest.mark.parametrize("stream_id", [1, 2])
@pytest.mark.parametrize(("kind", "length"), [(DATA, 1), (WINDOW_UPDATE, 1)])
def test_frames_for_a_stream_that_never_was_are_a_violation(stream_id, kind, length):
    violates(session(), frame(kind, 0, stream_id, length))


@pytest.mark.parametrize("flags", [FIN, RST])
@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
def test_the_end_of_a_stream_that_was_never_announced_is_tolerated(kind, flags):
    listener = session()
    deliver(listener, frame(kind, flags, 1, 0))
    assert accepted(listener).id == 1


def test_frames_for_streams_long_gone_are_discarded():
    listener = session()
    for n in range(2000):
        deliver(listener, frame(DATA, SYN | RST, 2 * n + 1, 0))
    deliver(listener, frame(DATA, 0, 1, 1000) + frame(WINDOW_UPDATE, 0, 1, 1000))
    violates(listener, frame(DATA, 0, 1, 2**31, b""))


# --- closing -------------------------------------------------------------------------------


def test_closing_ends_a_stream_cleanly_if_nothing_is_unread():
    dialer, _, here, _ = opened()
    dialer.write(here, b"bye")
    dialer.close(here, 0.0)
    assert [header.flags for header in headers(output(dialer))] == [0, FIN]


def test_closing_with_unread_data_resets_unless_the_other_side_had_ended():
    listener = session()
    one, other = accepted(listener), accepted(listener, 3)
    deliver(listener, frame(DATA, 0, 1, 9) + frame(DATA, FIN, 3, 9))
    listener.close(one, 0.0)
    listener.close(other, 0.0)
    assert [(h.stream_id, h.flags) for h in headers(output(listener))] == [
        (1, RST),
        (3, ACK),
        (3, FIN),
    ]


def test_data_for_a_closed_stream_resets_it_once_its_end_is_out():
    listener = session()
    stream = accepted(listener)
    listener.write(stream, b"answer")
    listener.close(stream, 0.0)
    deliver(listener, frame(DATA, 0, 1, 10))
    assert [header.flags for header in headers(output(listener))] == [ACK, FIN]
    deliver(listener, frame(DATA, 0, 1, 10))
    assert [header.flags for header in headers(output(listener))] == [RST]
    assert not listener.streams


def test_a_closed_stream_that_the_other_side_neglects_is_reset_in_time():
    dialer, _, here, _ = opened(linger_seconds=60.0)
    dialer.close(here, 5.0)
    output(dialer)
    dialer.expire(64.9)
    assert output(dialer) == b""
    dialer.expire(65.0)
    assert headers(output(dialer)) == [Header(WINDOW_UPDATE, RST, 1, 0)]


# --- pings, and the end of the session -----------------------------------------------------


@pytest.mark.parametrize("flags", [SYN, 0])
def test_a_ping_is_answered_with_its_value(flags):
    listener = session()
    deliver(listener, frame(PING, flags, 0, 0xDEADBEEF))
    assert headers(output(listener)) == [Header(PING, ACK, 0, 0xDEADBEEF)]


def test_a_flood_of_pings_is_a_violation():
    violates(session(), frame(PING, SYN, 0, 1) * 65)


def test_own_pings_measure_from_when_they_left():
    dialer = session(dialer=True)
    dialer.ping()
    dialer.ping()
    (ping,) = headers(output(dialer, now=5.0))
    dialer.ping()
    assert output(dialer, now=5.1) == b""
    deliver(dialer, frame(PING, ACK, 0, ping.length + 1), now=5.1)
    assert dialer.round_trip_seconds is None
    deliver(dialer, frame(PING, ACK, 0, ping.length), now=5.25)
    assert dialer.round_trip_seconds == 0.25
    dialer.ping()
    assert headers(output(dialer, now=6.0))[0].length != ping.length


def test_answers_to_nothing_are_ignored():
    dialer = session(dialer=True)
    deliver(dialer, frame(PING, ACK, 0, 0) * 1000)
    assert dialer.round_trip_seconds is None


@pytest.mark.parametrize("reason", [0, 1, 2, 3])
def test_a_farewell_is_noted_with_its_reason(reason):
    dialer = session(dialer=True)
    deliver(dialer, frame(GO_AWAY, 0, 0, reason))
    assert dialer.remote_reason == reason
    with pytest.raises(LinkClosed):
        dialer.open_stream(0.0)


def test_a_farewell_comes_behind_what_was_framed_before():
    dialer, _, here, _ = opened()
    dialer.refuse_streams()
    dialer.write(here, b"x")
    assert not dialer.flushed
    first = output(dialer)
    assert dialer.flushed
    dialer.go_away()
    assert [h.kind for h in headers(first + output(dialer))] == [DATA, GO_AWAY]
    deliver(dialer, frame(WINDOW_UPDATE, SYN, 2, 0))
    assert headers(output(dialer)) == [Header(WINDOW_UPDATE, RST, 2, 0)]


def test_a_read_full_of_empty_frames_is_handled_in_turns():
    listener = session()
    accepted(listener)
    assert listener.receive_data(frame(WINDOW_UPDATE, 0, 1, 0) * (FRAMES_A_TURN + 1), 0.0)
    assert not listener.receive_more(0.0)


def test_many_small_reads_share_a_turn():
    """Records of TLS are small: a read of many is worked off in turns as well."""
    listener = session()
    accepted(listener)
    reads = [frame(WINDOW_UPDATE, 0, 1, 0)] * (FRAMES_A_TURN + 1)
    waits = [read for read in reads if listener.receive_data(read, 0.0)]
    assert waits
    assert not listener.receive_more(0.0)
    assert not listener.receive_data(reads[0], 0.0)


def test_a_session_knows_that_it_was_cut_inside_a_frame():
    listener = session()
    listener.receive_data(frame(DATA, SYN, 1, 10)[:-1], 0.0)
    assert listener.inside_frame
