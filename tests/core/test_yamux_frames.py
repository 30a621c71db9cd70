"""The frame codec and the byte queue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._errors import MuxerViolation
from peerloom._muxers._byte_queue import MERGED_BYTES, ByteQueue
from peerloom._muxers._yamux_frames import FrameDecoder, encode_header

from .yamux_tools import Header

KINDS = st.integers(0, 3)
U16 = st.integers(0, 2**16 - 1)
U32 = st.integers(0, 2**32 - 1)
FRAMES = st.lists(
    st.one_of(
        st.builds(lambda body, *rest: (*rest, body), st.binary(max_size=40), st.just(0), U16, U32),
        st.tuples(st.integers(1, 3), U16, U32, U32),
    ),
    max_size=12,
)


def test_header_is_twelve_bytes_in_network_order():
    assert encode_header(1, 0x8, 0x01020304, 5).hex() == "000100080102030400000005"


@given(KINDS, U16, U32, U32)
def test_header_comes_out_as_it_went_in(kind, flags, stream_id, length):
    decoder = FrameDecoder()
    decoder.feed(encode_header(kind, flags, stream_id, length))
    assert decoder.take_header() == Header(kind, flags, stream_id, length)
    assert decoder.body_left == (length if kind == 0 else 0)


def take_all(decoder: FrameDecoder, frames: list[tuple[Header, bytearray]]) -> None:
    while True:
        if decoder.body_left:
            piece = decoder.take_payload()
            if not piece:
                return
            frames[-1][1].extend(piece)
        else:
            header = decoder.take_header()
            if header is None:
                return
            frames.append((Header(*header), bytearray()))


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1))
def test_decoder_gives_the_same_frames_wherever_the_reads_end(frames, cuts):
    wire, expected = b"", []
    for kind, flags, stream_id, rest in frames:
        body = rest if kind == 0 else b""
        length = len(body) if kind == 0 else rest
        wire += encode_header(kind, flags, stream_id, length) + body
        expected.append((Header(kind, flags, stream_id, length), bytearray(body)))
    got: list[tuple[Header, bytearray]] = []
    decoder, start = FrameDecoder(), 0
    while start < len(wire):
        cut = cuts[start % len(cuts)]
        decoder.feed(wire[start : start + cut])
        take_all(decoder, got)
        assert not decoder.has_more
        start += cut
    assert got == expected
    assert not decoder.inside_frame


def test_decoder_refuses_another_version():
    decoder = FrameDecoder()
    decoder.feed(b"\x01" + bytes(11))
    with pytest.raises(MuxerViolation, match="version 1"):
        decoder.take_header()


@pytest.mark.parametrize("kind", [4, 255])
def test_decoder_refuses_an_unknown_type(kind):
    decoder = FrameDecoder()
    decoder.feed(encode_header(kind, 0, 0, 0))
    with pytest.raises(MuxerViolation, match=f"type {kind}"):
        decoder.take_header()


def test_decoder_knows_that_it_is_inside_a_frame():
    decoder = FrameDecoder()
    assert not decoder.inside_frame
    decoder.feed(b"\0\0")
    assert decoder.take_header() is None
    assert decoder.inside_frame


def test_decoder_hands_on_whole_reads_without_copying():
    decoder = FrameDecoder()
    decoder.feed(encode_header(0, 0, 1, 1000))
    decoder.take_header()
    data = bytes(500)
    decoder.feed(data)
    assert decoder.take_payload() is data


def test_decoder_keeps_no_large_read_alive_for_a_small_piece():
    decoder = FrameDecoder()
    decoder.feed(
        encode_header(0, 0, 1, 100) + bytes(100) + encode_header(0, 0, 1, 900) + bytes(900)
    )
    decoder.take_header()
    assert type(decoder.take_payload()) is bytes
    decoder.take_header()
    assert type(decoder.take_payload()) is memoryview


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.binary(min_size=1, max_size=5000)),
            st.tuples(st.just("read"), st.integers(1, 9000)),
            st.tuples(st.just("take"), st.integers(0, 9000)),
        )
    )
)
def test_byte_queue_is_first_in_first_out(steps):
    queue, model = ByteQueue(), b""
    for step, argument in steps:
        if step == "append":
            queue.append(argument)
            model += argument
        elif step == "read":
            got = queue.read(argument)
            assert type(got) is bytes
            assert bool(got) == bool(model)
            assert len(got) <= argument
            assert model.startswith(got)
            model = model[len(got) :]
        else:
            got = b"".join(queue.take(argument))
            assert got == model[:argument]
            model = model[argument:]
        assert queue.size == len(model)


def test_byte_queue_gives_back_the_object_that_fits():
    queue, data = ByteQueue(), bytes(10_000)
    queue.append(data)
    assert queue.read(10_000) is data


def test_byte_queue_merges_single_bytes():
    queue = ByteQueue()
    for _ in range(256 * 1024):
        queue.append(b"x")
    assert len(queue.take(queue.size)) <= 256 * 1024 // MERGED_BYTES
