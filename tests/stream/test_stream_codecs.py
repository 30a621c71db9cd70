"""Messages as raw bytes and as JSON."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom import MalformedMessage
from peerloom_stream import Message, MessageJsonCodec, RawCodec

JSON = MessageJsonCodec()


@given(st.binary())
def test_raw_message_is_its_bytes(data: bytes) -> None:
    assert RawCodec().encode(Message(data)) == data
    assert RawCodec().decode(data) == Message(data)


@given(st.binary())
def test_json_message_comes_back_and_is_json_for_everybody(data: bytes) -> None:
    payload = JSON.encode(Message(data))

    assert json.loads(payload) == {"data": list(data)}
    assert JSON.decode(payload) == Message(data)


def test_json_message_is_written_as_the_readme_of_the_ancestor_says() -> None:
    assert JSON.encode(Message(b"Hello")) == b'{"data":[72,101,108,108,111]}'


@given(st.binary(), st.sampled_from([None, 1]), st.sampled_from([{}, {"more": "x"}]))
def test_json_message_written_by_others_is_read(
    data: bytes, indent: int | None, more: dict[str, str]
) -> None:
    value = {"data": list(data), **more}

    assert JSON.decode(json.dumps(value, indent=indent).encode()) == Message(data)


def test_json_message_of_two_million_bytes_comes_back() -> None:
    data = bytes(range(256)) * 8000

    assert JSON.decode(JSON.encode(Message(data))).data == data


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"data":null}',
        b'{"data":"aGVsbG8="}',
        b'{"data":[256]}',
        b'{"data":[-1]}',
        b'{"data":[1.0]}',
        b'{"data":[true]}',
        b'{"data":[1,]}',
        b'{"data":[,1]}',
        b'{"data":[01]}',
        b'{"data":[1]',
        b'{"data":[1]}x',
        b'{"data":[\xff]}',
        b'{"data":[' + b"9" * 5000 + b"]}",
        b"[" * 100_000,
        b'{"data":' + b"[" * 100_000 + b"]}",
        b'{"data":[' + b"1," * 65_536 + b"]}",
    ],
)
def test_frame_that_is_no_such_json_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage, match="JSON"):
        JSON.decode(payload)


def test_long_json_in_a_form_that_would_hold_the_loop_is_refused() -> None:
    payload = json.dumps({"data": [1] * 1_000_000}, indent=1).encode()

    with pytest.raises(MalformedMessage, match="compact"):
        JSON.decode(payload)


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda raw: b'{"data":[%b]}' % raw))
def test_json_codec_raises_nothing_but_malformed_message(payload: bytes) -> None:
    with suppress(MalformedMessage):
        JSON.decode(payload)
