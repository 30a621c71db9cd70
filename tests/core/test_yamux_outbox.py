"""What a session sends first, and how much of whom."""

from __future__ import annotations

from peerloom._muxers._yamux_frames import ACK, DATA, PING, SYN, WINDOW_UPDATE
from peerloom._muxers._yamux_outbox import SMALL_TURN_BYTES, SMALL_TURNS_PART
from peerloom._muxers._yamux_pace import LEAST_BYTES, MOST_BYTES

from .yamux_tools import deliver, frame, headers, output, session


def test_many_senders_share_the_buffer():
    dialer = session(dialer=True)
    streams = [dialer.open_stream(0.0) for _ in range(256)]
    output(dialer)
    held = sum(dialer.write(stream, bytes(2**20)) for stream in streams)
    assert held < 64 * 2**20  # those that began when there were fewer hold more
    assert min(stream.outgoing.size for stream in streams) >= 64 * 1024


def test_streams_take_turns():
    dialer = session(dialer=True)
    streams = [dialer.open_stream(0.0) for _ in range(3)]
    output(dialer)
    for stream in streams:
        dialer.write(stream, bytes(150_000))
    order = [header.stream_id for header in headers(output(dialer))]
    assert order == [1, 3, 5] * 3


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
    first = len(b"".join(dialer.data_to_send(0.0)))
    assert first < 1.1 * LEAST_BYTES
    dialer.written(first, 0.0)
    assert len(b"".join(dialer.data_to_send(0.0))) > 1.5 * first


def write_of(dialer):
    """The data frames of the next write, as stream ids with lengths."""
    frames = headers(b"".join(dialer.data_to_send(0.0)))
    return [(header.stream_id, header.length) for header in frames if header.kind == DATA]


def opened_streams(dialer, count):
    streams = [dialer.open_stream(0.0) for _ in range(count)]
    output(dialer)
    return streams


def quicken(dialer):
    """Let the path be quick, so that writes are as large as they get."""
    while dialer._pace.room < MOST_BYTES:
        dialer.written(dialer._pace.room, 0.0)


def test_a_turn_is_as_large_as_a_write():
    dialer = session(dialer=True)
    first, second = opened_streams(dialer, 2)
    for stream in (first, second):
        deliver(dialer, frame(WINDOW_UPDATE, ACK, stream.id, 2**20))
    quicken(dialer)
    for stream in (first, second):
        dialer.write(stream, bytes(MOST_BYTES))
    assert write_of(dialer) == [(first.id, MOST_BYTES)]
    assert write_of(dialer) == [(second.id, MOST_BYTES)]


def test_who_has_little_to_say_waits_for_nobody_who_has_much():
    dialer = session(dialer=True)
    *large, small = opened_streams(dialer, 100)
    for stream in large:
        dialer.write(stream, bytes(100_000))
    write_of(dialer)
    dialer.write(small, b"hello")
    assert write_of(dialer)[0] == (small.id, 5)


def test_an_end_waits_for_nobody_who_has_much():
    dialer = session(dialer=True)
    *large, ending = opened_streams(dialer, 100)
    for stream in large:
        dialer.write(stream, bytes(100_000))
    write_of(dialer)
    dialer.write_eof(ending)
    assert headers(b"".join(dialer.data_to_send(0.0)))[0].stream_id == ending.id


def test_many_who_have_little_to_say_leave_most_of_each_write_to_the_others():
    dialer = session(dialer=True)
    large, *small = opened_streams(dialer, 100)
    dialer.write(large, bytes(2**20))
    for _ in range(3):
        for stream in small:
            dialer.write(stream, bytes(max(0, SMALL_TURN_BYTES - stream.outgoing.size)))
        *firsts, last = write_of(dialer)
        assert sum(length for _, length in firsts) == LEAST_BYTES // SMALL_TURNS_PART
        assert last == (large.id, LEAST_BYTES - LEAST_BYTES // SMALL_TURNS_PART)


def test_many_who_have_little_to_say_fill_what_the_others_leave_of_a_write():
    dialer = session(dialer=True)
    large, *small = opened_streams(dialer, 100)
    deliver(dialer, frame(WINDOW_UPDATE, ACK, large.id, 2**20))
    large.send_window = 1
    for much in (b"", bytes(100_000)):
        dialer.write(large, much)
        for stream in small:
            dialer.write(stream, bytes(SMALL_TURN_BYTES))
        assert sum(length for _, length in write_of(dialer)) == LEAST_BYTES


def test_who_has_much_after_all_gets_little_before_its_turn():
    dialer = session(dialer=True)
    growing, large = opened_streams(dialer, 2)
    dialer.write(growing, b"little")
    dialer.write(large, bytes(100_000))
    dialer.write(growing, bytes(100_000))
    assert write_of(dialer) == [
        (growing.id, SMALL_TURN_BYTES),
        (large.id, LEAST_BYTES - SMALL_TURN_BYTES),
    ]
    assert write_of(dialer)[0][0] == growing.id


def test_where_a_path_is_slow_many_senders_hold_little():
    dialer = session(dialer=True)
    streams = opened_streams(dialer, 100)
    for stream in streams:
        dialer.write(stream, bytes(2**20))
    assert sum(stream.outgoing.size for stream in streams[20:]) == 80 * LEAST_BYTES
