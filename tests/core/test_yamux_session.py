"""The rules of yamux, one by one, as plain values."""

from __future__ import annotations

from itertools import product

import pytest

from peerloom._errors import LinkClosed, MuxerViolation, StreamLimitReached, StreamReset
from peerloom._muxers._yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Header,
)
from peerloom._muxers._yamux_session import FRAMES_A_TURN, MAX_WAITING_REFUSALS
from peerloom._muxers._yamux_state import Reset

from .yamux_tools import decode, deliver, exchange, frame, headers, output, session

INITIAL = 256 * 1024
NO_ACK = [0, FIN, RST, FIN | RST]
FLAG_SETS = [sum(flags) for flags in product((0, SYN), (0, ACK), (0, FIN), (0, RST))]


def pair(**settings):
    return session(dialer=True, **settings), session(**settings)


def opened(**settings):
    """Two sessions and the two ends of a stream between them."""
    dialer, listener = pair(**settings)
    here = dialer.open_stream(0.0)
    exchange(dialer, listener)
    return dialer, listener, here, listener.accept_stream()


def accepted(listener, stream_id=1):
    """A stream that a hand-written peer has opened."""
    deliver(listener, frame(WINDOW_UPDATE, SYN, stream_id, 0))
    return listener.accept_stream()


def waiting(listener):
    """The next stream that waits to be accepted."""
    stream = listener.accept_stream()
    assert stream is not None
    return stream


def violates(to, data):
    with pytest.raises(MuxerViolation):
        deliver(to, data)
    assert decode(output(to)) == [(Header(GO_AWAY, 0, 0, 1), b"")]


# --- opening, and the numbers of streams ---------------------------------------------------


def test_dialer_opens_odd_streams_and_listener_even_ones():
    dialer, listener = pair()
    assert [dialer.open_stream(0.0).id for _ in range(3)] == [1, 3, 5]
    assert [listener.open_stream(0.0).id for _ in range(3)] == [2, 4, 6]


def test_opening_announces_the_stream_before_its_data():
    dialer = session(dialer=True)
    stream = dialer.open_stream(0.0)
    dialer.write(stream, b"hello")
    assert decode(output(dialer)) == [
        (Header(WINDOW_UPDATE, SYN, 1, 0), b""),
        (Header(DATA, 0, 1, 5), b"hello"),
    ]


def test_a_stream_is_acknowledged_by_its_first_data():
    listener = session()
    stream = accepted(listener)
    assert output(listener) == b""
    listener.write(stream, b"a")
    listener.write(stream, b"b")
    assert headers(output(listener)) == [Header(DATA, ACK, 1, 2)]


def test_a_stream_that_was_reset_before_it_was_announced_is_never_mentioned():
    dialer = session(dialer=True)
    dialer.reset(dialer.open_stream(0.0))
    assert output(dialer) == b""
    assert not dialer.streams


def test_streams_announced_out_of_order_are_accepted():
    listener = session()
    for number in (5, 1, 3):
        assert accepted(listener, number).id == number


@pytest.mark.parametrize("flags", NO_ACK)
def test_a_stream_of_the_wrong_parity_is_a_violation(flags):
    violates(session(), frame(WINDOW_UPDATE, SYN | flags, 2, 0))
    violates(session(dialer=True), frame(WINDOW_UPDATE, SYN | flags, 1, 0))


def test_opening_a_stream_twice_is_a_violation():
    listener = session()
    accepted(listener)
    violates(listener, frame(DATA, SYN, 1, 0))


def test_opening_a_stream_again_after_its_end_is_a_violation():
    listener = session()
    deliver(listener, frame(DATA, SYN | RST, 1, 0))
    violates(listener, frame(DATA, SYN, 1, 0))


@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
def test_a_streams_frame_on_stream_zero_is_a_violation(kind):
    violates(session(), frame(kind, SYN, 0, 1))


@pytest.mark.parametrize("kind", [PING, GO_AWAY])
def test_a_sessions_frame_on_a_stream_is_a_violation(kind):
    violates(session(), frame(kind, SYN, 1, 0))


def test_another_version_is_a_violation():
    violates(session(), b"\x01" + bytes(11))


def test_an_unknown_type_is_a_violation():
    violates(session(), frame(9, 0, 0, 0))


# --- bounds --------------------------------------------------------------------------------


def test_inbound_streams_past_the_bound_are_reset():
    listener = session(max_inbound_streams=2)
    deliver(listener, b"".join(frame(WINDOW_UPDATE, SYN, n, 0) for n in (1, 3, 5, 7)))
    assert headers(output(listener)) == [Header(WINDOW_UPDATE, RST, n, 0) for n in (5, 7)]
    assert [waiting(listener).id for _ in range(2)] == [1, 3]
    assert listener.accept_stream() is None


def test_streams_past_the_accept_backlog_are_reset():
    listener = session(accept_backlog=1)
    deliver(listener, frame(WINDOW_UPDATE, SYN, 1, 0) + frame(WINDOW_UPDATE, SYN, 3, 0))
    assert headers(output(listener)) == [Header(WINDOW_UPDATE, RST, 3, 0)]
    listener.accept_stream()
    assert accepted(listener, 5).id == 5


def test_what_was_sent_to_a_refused_stream_is_tolerated():
    listener = session(max_inbound_streams=0)
    deliver(listener, frame(DATA, SYN, 1, 100) + frame(DATA, 0, 1, INITIAL - 100))
    violates(listener, frame(DATA, FIN, 1, 1))


def test_a_flood_of_streams_is_a_violation_and_bounded():
    listener = session()
    flood = (frame(WINDOW_UPDATE, SYN, 2 * n + 1, 0) for n in range(10_000))
    violates(listener, b"".join(flood))
    assert len(listener.streams) == 256


def test_refused_streams_that_are_answered_in_time_are_no_flood():
    listener = session()
    for n in range(10 * MAX_WAITING_REFUSALS):
        deliver(listener, frame(WINDOW_UPDATE, SYN, 2 * n + 1, 0))
        output(listener)
    assert len(listener.streams) == 256


def test_a_stream_holds_its_place_until_the_application_lets_go_of_it():
    listener = session(max_inbound_streams=1)
    stream = accepted(listener)
    deliver(listener, frame(WINDOW_UPDATE, RST, 1, 0))
    assert accepted(listener, 3) is None
    listener.close(stream, 0.0)
    assert accepted(listener, 5).id == 5


def test_a_stream_reset_while_it_waits_to_be_accepted_frees_its_place():
    listener = session(max_inbound_streams=1)
    deliver(listener, frame(WINDOW_UPDATE, SYN, 1, 0) + frame(WINDOW_UPDATE, RST, 1, 0))
    assert listener.accept_stream() is None
    assert accepted(listener, 3).id == 3


def test_a_stream_frees_its_place_after_a_clean_end():
    listener = session(max_inbound_streams=1)
    stream = accepted(listener)
    deliver(listener, frame(DATA, FIN, 1, 3, b"abc"))
    listener.write_eof(stream)
    output(listener)
    assert listener.read(stream, 10) == b"abc"
    assert accepted(listener, 3) is None
    assert listener.read(stream, 10) == b""
    assert accepted(listener, 5).id == 5


def test_outbound_streams_are_bounded():
    dialer, listener = pair(max_outbound_streams=3)
    streams = [dialer.open_stream(0.0) for _ in range(3)]
    with pytest.raises(StreamLimitReached):
        dialer.open_stream(0.0)
    dialer.reset(streams[0])
    exchange(dialer, listener)
    dialer.open_stream(0.0)


def test_unacknowledged_streams_are_bounded():
    dialer, listener = pair(ack_backlog=2)
    dialer.open_stream(0.0)
    dialer.open_stream(0.0)
    assert dialer.ack_backlog_full
    with pytest.raises(StreamLimitReached):
        dialer.open_stream(0.0)
    exchange(dialer, listener)
    listener.write(listener.accept_stream(), b"x")
    exchange(dialer, listener)
    assert not dialer.ack_backlog_full
    dialer.open_stream(0.0)


@pytest.mark.parametrize("flags", [ACK, ACK | FIN, ACK | RST])
@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
def test_an_acknowledgement_counts_with_every_flag_beside_it(kind, flags):
    dialer = session(dialer=True, ack_backlog=1)
    dialer.open_stream(0.0)
    output(dialer)
    deliver(dialer, frame(kind, flags, 1, 0))
    assert not dialer.ack_backlog_full


# --- windows -------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", FLAG_SETS)
def test_the_first_byte_past_the_window_is_a_violation_with_any_flags(flags):
    listener = session()
    if not flags & SYN:
        accepted(listener)
    violates(listener, frame(DATA, flags, 1, INITIAL + 1))


@pytest.mark.parametrize("flags", FLAG_SETS)
def test_a_whole_window_in_one_frame_is_fine_with_any_flags(flags):
    listener = session()
    stream = None if flags & SYN else accepted(listener)
    deliver(listener, frame(DATA, flags, 1, INITIAL))
    stream = stream or listener.accept_stream()
    if flags & RST:
        assert stream is None or stream.reset is Reset.THERE
    else:
        assert stream is not None
        assert stream.received.size == INITIAL
        assert stream.eof_received == bool(flags & FIN)


def test_the_window_is_enforced_at_the_header_before_the_payload():
    listener = session()
    accepted(listener)
    violates(listener, frame(DATA, 0, 1, INITIAL + 1, b""))


def test_ninety_mebibytes_past_the_window_end_at_the_first_byte_too_many():
    listener = session()
    stream = accepted(listener)
    for _ in range(16):
        deliver(listener, frame(DATA, 0, 1, 16 * 1024))
    violates(listener, frame(DATA, 0, 1, 16 * 1024))
    assert stream.received.size == INITIAL


@pytest.mark.parametrize("flags", [0, SYN, ACK, FIN])
def test_credit_past_what_the_field_can_hold_is_a_violation(flags):
    listener = session()
    if not flags & SYN:
        accepted(listener)
    violates(listener, frame(WINDOW_UPDATE, flags, 1, 2**32 - INITIAL))


def test_credit_of_4_gib_twice_is_a_violation():
    listener = session()
    accepted(listener)
    violates(listener, frame(WINDOW_UPDATE, 0, 1, 0xFFFFFFFF) * 2)


def test_the_length_of_a_reset_is_no_credit():
    listener = session()
    stream = accepted(listener)
    deliver(listener, frame(WINDOW_UPDATE, RST, 1, 0xFFFFFFFF))
    assert stream.reset is Reset.THERE


def test_a_syn_may_bring_credit():
    listener = session()
    deliver(listener, frame(WINDOW_UPDATE, SYN, 1, 1000))
    assert waiting(listener).send_window == INITIAL + 1000


def test_a_sender_stops_at_the_window_and_goes_on_with_credit():
    dialer = session(dialer=True)
    stream = dialer.open_stream(0.0)
    data = bytes(INITIAL + 10)
    assert dialer.write(stream, data) == len(data)
    assert sum(h.length for h in headers(output(dialer)) if h.kind == DATA) == INITIAL
    deliver(dialer, frame(WINDOW_UPDATE, ACK, 1, 3))
    assert headers(output(dialer)) == [Header(DATA, 0, 1, 3)]


def test_a_sender_is_held_back_by_a_bounded_buffer():
    dialer = session(dialer=True, send_buffer_bytes=100_000)
    stream = dialer.open_stream(0.0)
    assert dialer.write(stream, bytes(150_000)) == 100_000
    assert dialer.write(stream, b"x") == 0
    output(dialer)
    assert stream in dialer.take_touched()
    assert dialer.write(stream, b"x") == 1


def test_many_senders_share_the_buffer():
    dialer = session(dialer=True)
    streams = [dialer.open_stream(0.0) for _ in range(256)]
    output(dialer)
    held = sum(dialer.write(stream, bytes(2**20)) for stream in streams)
    assert held < 24 * 2**20
    assert min(stream.outgoing.size for stream in streams) == 64 * 1024


def test_streams_take_turns():
    dialer = session(dialer=True)
    streams = [dialer.open_stream(0.0) for _ in range(3)]
    output(dialer)
    for stream in streams:
        dialer.write(stream, bytes(150_000))
    order = [header.stream_id for header in headers(output(dialer))]
    assert order == [1, 3, 5, 1, 3, 5]


def test_control_frames_come_before_data():
    dialer = session(dialer=True)
    stream = dialer.open_stream(0.0)
    dialer.write(stream, b"data")
    deliver(dialer, frame(PING, SYN, 0, 7))
    assert [header.kind for header in headers(output(dialer))] == [PING, WINDOW_UPDATE, DATA]


def test_one_write_is_bounded():
    dialer = session(dialer=True)
    for _ in range(100):
        dialer.write(dialer.open_stream(0.0), bytes(100_000))
    assert len(b"".join(dialer.data_to_send(0.0))) < 530 * 1024


def test_the_window_grows_with_the_measured_path():
    dialer, listener, here, there = opened()
    listener.ping()
    pinged = output(listener, now=1.0)
    deliver(dialer, pinged)
    deliver(listener, output(dialer), now=1.1)
    assert listener.round_trip_seconds == pytest.approx(0.1)
    for now in (1.1, 1.25):
        assert here.send_window == INITIAL
        dialer.write(here, bytes(INITIAL))
        exchange(dialer, listener, now)
        listener.read(there, INITIAL)
        exchange(dialer, listener, now)
    assert here.send_window == 2 * INITIAL


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
