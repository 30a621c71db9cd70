"""Frames: four bytes of length, big-endian, then that many bytes, 8 MiB at most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom import MalformedMessage
from peerloom_stream import MAX_FRAME_BYTES
from peerloom_stream._frames import FrameDecoder, encode_frame


def test_frame_is_a_big_endian_length_and_the_payload() -> None:
    assert encode_frame(b"hello") == b"\x00\x00\x00\x05hello"


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_frames_come_back_however_their_bytes_are_split(
    payloads: list[bytes], data: st.DataObject
) -> None:
    wire = b"".join(map(encode_frame, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    decoder = FrameDecoder()
    received = []

    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        decoder.feed(wire[start:end])
        while (payload := decoder.next_frame()) is not None:
            received.append(payload)

    assert received == payloads
    decoder.end_of_stream()


@pytest.mark.parametrize("size", [0, 1, MAX_FRAME_BYTES - 1, MAX_FRAME_BYTES])
def test_frame_of_every_allowed_size_comes_back(size: int) -> None:
    payload = bytes([7]) * size
    decoder = FrameDecoder()

    decoder.feed(encode_frame(payload))

    assert decoder.next_frame() == payload
    assert decoder.next_frame() is None


def test_frame_over_8_mib_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="8388609 bytes"):
        encode_frame(bytes(MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize("size", [MAX_FRAME_BYTES + 1, 2**32 - 1])
def test_frame_over_8_mib_is_refused_before_any_of_it_arrives(size: int) -> None:
    decoder = FrameDecoder()
    decoder.feed(size.to_bytes(4, "big"))

    with pytest.raises(MalformedMessage, match=f"{size} bytes"):
        decoder.next_frame()


@pytest.mark.parametrize("wire", [b"\x00", b"\x00\x00\x00\x02", b"\x00\x00\x00\x02x"])
def test_end_of_stream_inside_a_frame_is_an_error(wire: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(wire)

    assert decoder.next_frame() is None
    with pytest.raises(MalformedMessage, match="inside a frame"):
        decoder.end_of_stream()
