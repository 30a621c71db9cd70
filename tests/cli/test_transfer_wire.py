"""The file protocol's messages, in any pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._errors import MalformedMessage
from peerloom._transfer._wire import (
    ReceiverState,
    Request,
    Response,
    SenderState,
    Status,
    encode_receipt,
)

_HASH = bytes(range(32))
_requests = st.builds(Request, st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1))


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(_requests, st.booleans(), st.lists(st.integers(0, 100), max_size=6))
def test_sender_hears_request_and_receipt_in_any_pieces(
    request_: Request, verified: Any, cuts: list[int]
) -> None:
    state = SenderState()
    for piece in _pieces(request_.encode() + encode_receipt(verified=verified), cuts):
        state.feed(piece)
    assert state.request == request_
    assert state.receipt is verified


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=6))
def test_receiver_gets_the_content_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    state = ReceiverState(Request(_HASH, 7))
    wire = Response(Status.OK, 7 + len(content)).encode() + content
    received = b"".join(state.feed(piece) for piece in _pieces(wire, cuts))
    assert received == content
    assert state.missing_bytes == 0
    assert state.response == Response(Status.OK, 7 + len(content))


@given(st.integers(0, 50))
def test_receiver_knows_what_is_missing(count: int) -> None:
    state = ReceiverState(Request(_HASH, 0))
    state.feed(Response(Status.OK, 50).encode() + bytes(count))
    assert state.missing_bytes == 50 - count


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.CHANGED, Status.BAD_OFFSET])
def test_receiver_accepts_no_content_behind_a_refusal(status: Status) -> None:
    state = ReceiverState(Request(_HASH, 0))
    assert state.feed(Response(status).encode()) == b""
    assert state.response == Response(status)
    with pytest.raises(MalformedMessage):
        state.feed(b"x")


def test_receiver_accepts_no_more_content_than_announced() -> None:
    state = ReceiverState(Request(_HASH, 0))
    with pytest.raises(MalformedMessage, match="more content"):
        state.feed(Response(Status.OK, 3).encode() + b"four")


def test_receiver_refuses_a_file_shorter_than_what_it_has() -> None:
    state = ReceiverState(Request(_HASH, 10))
    with pytest.raises(MalformedMessage, match="shorter"):
        state.feed(Response(Status.OK, 9).encode())


def test_receiver_refuses_an_unknown_status() -> None:
    with pytest.raises(MalformedMessage, match="200 is no status"):
        ReceiverState(Request(_HASH, 0)).feed(b"\xc8" + bytes(8))


@pytest.mark.parametrize("surplus", [b"\x02", b"\x00\x00", b"\x01x"])
def test_sender_refuses_what_is_no_receipt(surplus: bytes) -> None:
    state = SenderState()
    with pytest.raises(MalformedMessage):
        state.feed(Request(_HASH, 0).encode() + surplus)


def test_sender_accepts_one_receipt_only() -> None:
    state = SenderState()
    state.feed(Request(_HASH, 0).encode() + b"\x01")
    with pytest.raises(MalformedMessage):
        state.feed(b"\x01")
