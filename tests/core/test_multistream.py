"""multistream-select, fed with plain bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._errors import NegotiationFailed, ProtocolNotSupported
from peerloom._framing import encode_message
from peerloom._swarm._multistream import MAX_PROPOSALS, Proposer, Responder

HEADER = encode_message(b"/multistream/1.0.0\n")


def line(text: str) -> bytes:
    return encode_message(text.encode() + b"\n")


def test_proposer_sends_header_and_first_wish_together() -> None:
    assert Proposer(["/a", "/b"]).start() == HEADER + line("/a")


def test_proposer_tries_the_next_wish_after_na() -> None:
    proposer = Proposer(["/a", "/b"])
    proposer.start()
    assert proposer.receive(HEADER + line("na")) == line("/b")
    assert proposer.receive(line("/b")) == b""
    assert proposer.protocol == "/b"


def test_proposer_says_which_protocols_nobody_speaks() -> None:
    proposer = Proposer(["/a", "/b"])
    proposer.start()
    with pytest.raises(ProtocolNotSupported, match="/a, /b"):
        proposer.receive(HEADER + line("na") + line("na"))


def test_responder_answers_na_until_it_knows_a_protocol() -> None:
    responder = Responder({"/b"}.__contains__)
    assert responder.start() == b""
    assert responder.receive(HEADER + line("/a")) == HEADER + line("na")
    assert responder.receive(line("/b")) == line("/b")
    assert responder.protocol == "/b"


def test_responder_returns_the_greeting_before_anything_is_proposed() -> None:
    assert Responder({"/b"}.__contains__).receive(HEADER) == HEADER


def test_responder_gives_up_on_endless_proposals() -> None:
    responder = Responder(lambda _: False)
    with pytest.raises(NegotiationFailed, match="64 protocols"):
        responder.receive(HEADER + line("/x") * MAX_PROPOSALS)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (line("/multistream/2.0.0"), "expected /multistream/1.0.0"),
        (b"GET / HTTP/1.1\r\n", "expected /multistream/1.0.0"),
        (HEADER + encode_message(b"/without-newline"), "newline"),
        (HEADER + encode_message(b"\xff\xfe\n"), "UTF-8"),
        (HEADER + encode_message(bytes(1025)), "1025 bytes"),
        (HEADER + b"\x80" * 10, "varint"),
    ],
)
def test_garbage_ends_the_negotiation(data: bytes, complaint: str) -> None:
    with pytest.raises(NegotiationFailed, match=complaint):
        Responder(lambda _: True).receive(data)


def test_a_non_multistream_answer_ends_the_proposal() -> None:
    proposer = Proposer(["/a"])
    with pytest.raises(NegotiationFailed, match="expected an answer"):
        proposer.receive(HEADER + line("/something-else"))


def test_bytes_behind_the_negotiation_are_kept() -> None:
    responder = Responder(lambda _: True)
    responder.receive(HEADER + line("/a") + b"hello")
    assert responder.leftover == b"hello"


@given(
    wishes=st.lists(st.sampled_from(["/a", "/b", "/c", "/d"]), min_size=1, unique=True),
    spoken=st.sets(st.sampled_from(["/a", "/b", "/c", "/d"])),
    cuts=st.lists(st.integers(1, 5), min_size=1),
)
def test_both_sides_agree_on_the_first_common_wish_however_the_bytes_arrive(
    wishes: list[str], spoken: set[str], cuts: list[int]
) -> None:
    proposer, responder = Proposer(wishes), Responder(spoken.__contains__)
    to_responder, to_proposer = proposer.start(), responder.start()
    expected = next((wish for wish in wishes if wish in spoken), None)
    refused = False
    for step in range(2000):
        size = cuts[step % len(cuts)]
        piece, to_responder = to_responder[:size], to_responder[size:]
        if piece and responder.protocol is None:
            to_proposer += responder.receive(piece)
        piece, to_proposer = to_proposer[:size], to_proposer[size:]
        if piece and proposer.protocol is None:
            try:
                to_responder += proposer.receive(piece)
            except ProtocolNotSupported:
                refused = True
                break
    assert (expected is None) == refused
    if expected is not None:
        assert proposer.protocol == responder.protocol == expected
