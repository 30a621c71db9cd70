"""Tickets survive the trip through a person's hands, or say what happened to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom import _ticket
from peerloom._errors import TicketError
from peerloom._peer_id import PeerId
from peerloom._ticket import Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

_peers = st.binary(min_size=32, max_size=32).map(
    lambda key: PeerId.from_public_key(b"\x08\x01\x12\x20" + key)
)
_addresses = st.one_of(
    st.builds(
        lambda ip, port: Multiaddr(f"/ip4/{ip}/tcp/{port}"),
        st.ip_addresses(v=4),
        st.integers(0, 65535),
    ),
    st.builds(
        lambda ip, port: Multiaddr(f"/ip6/{ip}/udp/{port}/quic-v1"),
        st.ip_addresses(v=6),
        st.integers(0, 65535),
    ),
    st.just(Multiaddr("/dns4/example.org/tcp/2428")),
)
_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
_tickets = st.builds(
    Ticket,
    _peers,
    st.lists(_addresses, max_size=_ticket.MAX_ADDRESSES).map(tuple),
    st.binary(min_size=32, max_size=32),
    st.integers(0, _ticket.MAX_FILE_BYTES),
    _names,
)


def _sample() -> Ticket:
    peer = PeerId.from_public_key(b"\x08\x01\x12\x20" + bytes(range(32)))
    addresses = (Multiaddr("/ip4/192.168.1.20/tcp/2428"), Multiaddr("/ip6/fd00::20/tcp/2428"))
    return Ticket(peer, addresses, bytes(range(32)), 268435456, "holiday.mp4")


@given(_tickets)
def test_ticket_comes_back_from_its_text(ticket: Ticket) -> None:
    assert Ticket.from_string(str(ticket)) == ticket


@given(_tickets, st.data())
def test_ticket_with_one_changed_character_is_refused(ticket: Ticket, data: st.DataObject) -> None:
    text = str(ticket)
    index = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[index]))
    with pytest.raises(TicketError):
        Ticket.from_string(text[:index] + other + text[index + 1 :])


def test_ticket_with_any_one_character_changed_to_any_other_is_refused() -> None:
    text = str(_sample())
    for index in range(len(text)):
        for other in _ALPHABET.replace(text[index], ""):
            with pytest.raises(TicketError):
                Ticket.from_string(text[:index] + other + text[index + 1 :])


@given(_tickets, st.data())
def test_ticket_cut_anywhere_is_refused(ticket: Ticket, data: st.DataObject) -> None:
    text = str(ticket)
    with pytest.raises(TicketError):
        Ticket.from_string(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.binary(max_size=200))
def test_ticket_with_a_good_checksum_over_nonsense_is_refused(payload: bytes) -> None:
    head = (len(payload) + 6).to_bytes(2) + payload
    checksum = crc32(_ticket.PREFIX.encode() + head).to_bytes(4)
    with pytest.raises(TicketError, match="made wrongly"):
        Ticket.from_string(_ticket.PREFIX + _ticket._to_base32(head + checksum))


def test_ticket_may_be_shouted_and_wrapped() -> None:
    text = str(_sample()).upper()
    assert Ticket.from_string(f"  {text[:50]}\n{text[50:]}\r\n") == _sample()


def test_ticket_is_short_and_recognisable() -> None:
    text = str(_sample())
    assert text.startswith("peerloom1")
    assert len(text) < 230


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text[:-40], r"cut short: it has \d+ of \d+ characters"),
        (lambda text: text + "abc", "3 characters behind its end"),
        (lambda text: text[:100] + "0" + text[101:], r"'0' \(character 101\)"),
        (lambda text: text[:-1] + ("a" if text[-1] != "a" else "q"), "checksum does not match"),
        (lambda text: text.replace("peerloom1", "peerloom2"), "another version"),
        (lambda text: "/ip4/127.0.0.1/tcp/1", "not a ticket"),
        (lambda text: "", "not a ticket"),
        (lambda text: "peerloom1", "cut short"),
        (lambda text: text * 100, "too long"),
    ],
)
def test_ticket_says_what_is_wrong_with_it(damage: Callable[[str], str], complaint: str) -> None:
    with pytest.raises(TicketError, match=complaint):
        Ticket.from_string(damage(str(_sample())))


@pytest.mark.parametrize(
    "fields",
    [
        {"addresses": (Multiaddr("/ip4/1.2.3.4/tcp/1"),) * 17},
        {"addresses": (Multiaddr(f"/dns4/{'.'.join(['a' * 49] * 5)}/tcp/1/ws/ws/ws/ws"),)},
        {"content_hash": b"short"},
        {"size": -1},
        {"size": 1 << 63},
        {"name": ""},
        {"name": "ä" * 128},
    ],
)
def test_ticket_refuses_fields_past_their_bounds(fields: dict[str, Any]) -> None:
    sample = _sample()
    values = {name: getattr(sample, name) for name in ("peer", "addresses", "content_hash")}
    with pytest.raises(ValueError, match=r"ticket|SHA-256|size of a file"):
        Ticket(**{**values, "size": 1, "name": "a", **fields})


def test_ticket_with_every_bound_reached_can_be_read() -> None:
    longest = Multiaddr(f"/dns4/{'.'.join(['a' * 49] * 5)}/tcp/65535")
    assert 250 < len(longest.to_bytes()) <= _ticket.MAX_ADDRESS_BYTES
    ticket = Ticket(
        PeerId(b"\x00\x2a" + bytes(42)),
        (longest,) * _ticket.MAX_ADDRESSES,
        bytes(32),
        _ticket.MAX_FILE_BYTES,
        "n" * _ticket.MAX_NAME_BYTES,
    )
    assert Ticket.from_string(str(ticket)) == ticket
