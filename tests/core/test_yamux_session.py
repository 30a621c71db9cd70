"""The rules of yamux, one by one, as plain values."""

from __future__ import annotations

from itertools import product

import pytest

from peerloom._errors import StreamLimitReached
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
from peerloom._muxers._yamux_session import MAX_WAITING_REFUSALS
from peerloom._muxers._yamux_state import Reset

from .yamux_tools import (
    Header,
    accepted,
    decode,
    deliver,
    exchange,
    frame,
    headers,
    opened,
    output,
    pair,
    session,
    violates,
    waiting,
)

INITIAL = 256 * 1024
NO_ACK = [0, FIN, RST, FIN | RST]
FLAG_SETS = [sum(flags) for flags in product((0, SYN), (0, ACK), (0, FIN), (0, RST))]


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
