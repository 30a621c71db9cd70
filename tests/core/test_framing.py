"""Varints and length-prefixed messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import ByteReceiveStream
from hypothesis import given
from hypothesis import strategies as st

from peerloom._errors import MalformedMessage
from peerloom._framing import (
    MAX_PROTOBUF_VARINT_BYTES,
    MessageDecoder,
    MessageReader,
    decode_varint,
    encode_message,
    encode_varint,
    read_length_prefixed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Pieces(ByteReceiveStream):
    """A stream that gives prepared pieces and then ends."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._pieces:
            raise anyio.EndOfStream
        piece = self._pieces.pop(0)
        if len(piece) > max_bytes:
            self._pieces.insert(0, piece[max_bytes:])
        return piece[:max_bytes]

    async def aclose(self) -> None:
        self._pieces.clear()


@given(st.integers(0, 2**63 - 1), st.binary(max_size=4))
def test_varint_comes_back_with_the_offset_behind_it(value: int, tail: bytes) -> None:
    encoded = encode_varint(value)

    assert decode_varint(b"xy" + encoded + tail, 2) == (value, 2 + len(encoded))


@given(st.integers(0, 2**63 - 1))
def test_varint_cut_short_asks_for_more(value: int) -> None:
    assert decode_varint(encode_varint(value)[:-1]) is None


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02")],
)
def test_varint_matches_the_examples_of_its_specification(value: int, encoded: str) -> None:
    assert encode_varint(value).hex() == encoded


@pytest.mark.parametrize("encoded", ["8000", "ff00", "818000"])
def test_varint_not_in_its_shortest_form_is_refused(encoded: str) -> None:
    with pytest.raises(MalformedMessage, match="shortest"):
        decode_varint(bytes.fromhex(encoded))


def test_varint_longer_than_its_bound_is_refused_without_its_end() -> None:
    assert decode_varint(b"\xff" * 8) is None
    with pytest.raises(MalformedMessage, match="longer than 9"):
        decode_varint(b"\xff" * 9)


def test_protobuf_varint_holds_64_bits_and_no_more() -> None:
    largest = encode_varint(2**64 - 1)

    assert decode_varint(largest, max_bytes=MAX_PROTOBUF_VARINT_BYTES) == (2**64 - 1, 10)
    with pytest.raises(MalformedMessage, match="64 bits"):
        decode_varint(b"\xff" * 9 + b"\x02", max_bytes=MAX_PROTOBUF_VARINT_BYTES)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_encode_varint_refuses_what_no_varint_holds(value: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        encode_varint(value)


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_messages_come_back_however_their_bytes_are_split(
    messages: list[bytes], data: st.DataObject
) -> None:
    wire = b"".join(map(encode_message, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    decoder = MessageDecoder(max_bytes=300)
    received = []

    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        decoder.feed(wire[start:end])
        while (message := decoder.next_message()) is not None:
            received.append(message)

    assert received == messages
    assert decoder.leftover == b""


@given(st.binary(max_size=200))
def test_decoder_only_ever_raises_malformed_message(garbage: bytes) -> None:
    decoder = MessageDecoder(max_bytes=100)
    decoder.feed(garbage)
    try:
        while decoder.next_message() is not None:
            pass
    except MalformedMessage:
        pass


def test_message_too_long_is_refused_by_its_length_alone() -> None:
    decoder = MessageDecoder(max_bytes=100)
    decoder.feed(encode_varint(101))

    with pytest.raises(MalformedMessage, match="101 bytes"):
        decoder.next_message()


async def test_reader_keeps_what_it_read_beyond_a_message() -> None:
    reader = MessageReader(Pieces([encode_message(b"one") + encode_message(b"two")[:2], b"wo"]), 10)

    assert await reader.read() == b"one"
    assert reader.leftover == b"\x03t"
    assert await reader.read() == b"two"
    with pytest.raises(anyio.EndOfStream):
        await reader.read()


@pytest.mark.parametrize("wire", [b"\x80", b"\x05", b"\x05abcd"])
async def test_end_of_stream_inside_a_message_is_an_error(wire: bytes) -> None:
    with pytest.raises(MalformedMessage, match="ended inside"):
        await read_length_prefixed(Pieces([wire]), 10)
