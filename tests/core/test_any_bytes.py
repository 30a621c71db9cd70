"""Whatever bytes come, a codec raises nothing but the error that it names."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerloom import MalformedMessage
from peerloom._addresses import address_from_wire
from peerloom._errors import MuxerViolation, NegotiationFailed, ProtocolNotSupported, RecordError
from peerloom._framing import encode_message
from peerloom._muxers._yamux_frames import FrameDecoder, encode_header
from peerloom._security import Tls
from peerloom._security._certificate import _decode_signed_key, _encode_signed_key
from peerloom._security._noise_records import NoiseRecords
from peerloom._swarm._multistream import Proposer, Responder
from peerloom._transfer._wire import ReceiverState, Request, SenderState
from peerloom._transports._quic_packets import long_header, retry, version_negotiation
from peerloom._transports._quic_tokens import RetryTokens
from peerloom_stream._frames import FrameDecoder as StreamFrames
from tests.core.security_kit import ALICE, BOB, RUNTIME, YAMUX, opened, shake
from tests.core.yamux_tools import session

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = encode_message(b"/multistream/1.0.0\n")
KEY = bytes(range(32))


def multistream_responder(data: bytes) -> None:
    with suppress(NegotiationFailed):
        Responder(lambda _: False).receive(data)
    with suppress(NegotiationFailed):
        Responder(lambda _: False).receive(HEADER + encode_message(data + b"\n"))


def multistream_proposer(data: bytes) -> None:
    for start in (b"", HEADER):
        proposer = Proposer(["/a", "/b"])
        proposer.start()
        with suppress(NegotiationFailed, ProtocolNotSupported):
            proposer.receive(start + data)


def yamux_frames(data: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(data)
    with suppress(MuxerViolation):
        while True:
            if decoder.body_left:
                if not decoder.take_payload():
                    break
            elif decoder.take_header() is None:
                break


def yamux_session(data: bytes) -> None:
    """With a stream of either side open, so that more of the bytes mean something."""
    listener = session()
    listener.open_stream(0.0)
    opening = encode_header(1, 1, 1, 0)
    with suppress(MuxerViolation):
        more = listener.receive_data(opening + data, 0.0)
        while more:
            more = listener.receive_more(0.0)


def noise_records(data: bytes) -> None:
    with suppress(RecordError):
        opened(NoiseRecords(KEY, KEY), data)


def transfer_sender(data: bytes) -> None:
    with suppress(MalformedMessage):
        SenderState().feed(data)


def transfer_receiver(data: bytes) -> None:
    with suppress(MalformedMessage):
        ReceiverState(Request(KEY, 7)).feed(data)


def stream_frames(data: bytes) -> None:
    decoder = StreamFrames()
    decoder.feed(data)
    with suppress(MalformedMessage):
        while decoder.next_frame() is not None:
            pass
        decoder.end_of_stream()


def multiaddr(data: bytes) -> None:
    with suppress(MalformedMessage):
        address_from_wire(data)


def certificate_extension(data: bytes) -> None:
    with suppress(MalformedMessage):
        _decode_signed_key(data)


def retry_tokens(data: bytes) -> None:
    assert RetryTokens(RUNTIME).check(("192.0.2.1", 1), b"told", data, 10.0) is None


CODECS: tuple[Callable[[bytes], None], ...] = (
    multistream_responder,
    multistream_proposer,
    yamux_frames,
    yamux_session,
    noise_records,
    transfer_sender,
    transfer_receiver,
    stream_frames,
    multiaddr,
    certificate_extension,
    retry_tokens,
)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.__name__)
@given(data=st.binary(max_size=400))
@settings(max_examples=200)
def test_any_bytes_raise_the_named_error_or_nothing(
    codec: Callable[[bytes], None], data: bytes
) -> None:
    codec(data)


HEADERS = st.tuples(
    st.integers(0, 3), st.integers(0, 31), st.integers(0, 5), st.integers(0, 2**32 - 1)
)


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=40)), max_size=20))
def test_any_frames_are_heard_by_a_yamux_session_or_are_a_violation(
    frames: list[tuple[tuple[int, int, int, int], bytes]],
) -> None:
    yamux_session(
        b"".join(
            encode_header(kind, flags, number, len(body) if kind == 0 else length) + body
            if kind == 0
            else encode_header(kind, flags, number, length)
            for (kind, flags, number, length), body in frames
        )
    )


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_any_bytes_for_tls_records_are_a_record_error_or_wait_for_more(data: bytes) -> None:
    pair = shake(Tls(ALICE, RUNTIME, [YAMUX]), Tls(BOB, RUNTIME, [YAMUX]))
    with suppress(RecordError, anyio.EndOfStream):
        assert opened(pair.listener.records, data) == b""


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_certificates_extension_gives_back_what_went_in(key: bytes, signature: bytes) -> None:
    assert _decode_signed_key(_encode_signed_key(key, signature)) == (key, signature)


@given(st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 255))
def test_answers_without_a_connection_are_headers_of_quic(
    destination: bytes, source: bytes, unused: int
) -> None:
    asked = b"\xc0\x0a\x0b\x0c\x0d" + b"".join(
        bytes([len(each)]) + each for each in (destination, source)
    )
    header = long_header(asked)
    assert header is not None
    for answer in (version_negotiation(header, unused), retry(header, b"told", b"t", unused)):
        read = long_header(answer)
        assert read is not None
        assert read.destination == source
        assert not read.initial
