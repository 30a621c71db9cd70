"""Frames come out whole, however the stream was cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom import MalformedMessage
from peerloom_gossipsub._encode import framed
from peerloom_gossipsub._frames import FrameDecoder


@given(
    st.lists(st.binary(max_size=5) | st.integers(120, 300).map(bytes)),
    st.lists(st.integers(0, 2000)),
)
def test_frames_come_out_whole_and_in_order_however_they_arrive(frames, cuts):
    decoder, stream = FrameDecoder(300), b"".join(map(framed, frames))
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    got = [
        frame
        for start, end in itertools.pairwise(edges)
        for frame in decoder.feed(stream[start:end])
    ]

    assert got == frames
    assert not decoder.kept_bytes


def test_a_stream_that_ends_inside_a_frame_says_so():
    decoder = FrameDecoder(300)

    assert list(decoder.feed(framed(b"whole") + b"\x05part")) == [b"whole"]
    assert decoder.kept_bytes


@pytest.mark.parametrize("head", [framed(bytes(301))[:2], b"\xff\xff\xff\xff\x0f", b"\x80" * 5])
def test_a_frame_that_is_too_long_is_refused_before_it_arrives(head):
    decoder = FrameDecoder(300)
    frames = decoder.feed(framed(b"good") + head)

    assert next(frames) == b"good"
    with pytest.raises(MalformedMessage):
        next(frames)


def test_empty_frames_come_up_to_a_bound_and_not_without_end():
    decoder = FrameDecoder(1000)

    assert list(decoder.feed(bytes(100))) == [b""] * 100
    assert list(decoder.feed(b"\x01x")) == [b"x"]
    with pytest.raises(MalformedMessage):
        list(decoder.feed(bytes(1)))
