"""The pure parts of the QUIC endpoint, and its UDP socket."""

from __future__ import annotations

import socket
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._links import Role
from peerloom._transports._quic_inbound import InboundIds
from peerloom._transports._quic_packets import destination_of, long_header, retry
from peerloom._transports._quic_timers import Timers
from peerloom._transports._quic_tokens import TOKEN_SECONDS, RetryTokens
from peerloom._transports._udp import UdpSocket

from .security_kit import RUNTIME

REMOTE = ("192.0.2.1", 4001)
IDS = st.binary(min_size=0, max_size=20)


# --- packets -------------------------------------------------------------------------------


def initial(destination: bytes, source: bytes, token: bytes = b"") -> bytes:
    assert len(token) < 64
    return b"".join(
        (
            b"\xc3\0\0\0\1",
            bytes([len(destination)]) + destination,
            bytes([len(source)]) + source,
            bytes([len(token)]) + token,
            bytes(40),
        )
    )


@given(st.binary(max_size=64))
def test_any_bytes_have_a_header_or_none(data: bytes) -> None:
    header = long_header(data)
    destination = destination_of(data)
    if header is not None and destination is not None:
        assert header.destination == destination


@given(st.binary(min_size=8, max_size=20), IDS, st.binary(max_size=63))
def test_a_long_header_is_read(destination: bytes, source: bytes, token: bytes) -> None:
    header = long_header(initial(destination, source, token))
    assert header is not None
    assert (header.destination, header.source) == (destination, source)
    assert (header.token, header.initial) == (token, True)


def test_a_short_header_tells_its_id() -> None:
    assert destination_of(b"\x40" + b"8 bytes!" + b"rest") == b"8 bytes!"


def test_a_retry_packet_is_that_of_the_specification() -> None:
    # RFC 9001 appendix A.4
    header = long_header(initial(bytes.fromhex("8394c8f03e515708"), b""))
    assert header is not None
    packet = retry(header, bytes.fromhex("f067a5502a4262b5"), b"token", 0x0F)
    assert packet == bytes.fromhex(
        "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"
    )


# --- tokens --------------------------------------------------------------------------------


def test_a_token_gives_back_the_first_id() -> None:
    tokens = RetryTokens(RUNTIME)
    token = tokens.make(REMOTE, b"original", b"told", 100.0)
    assert tokens.check(REMOTE, b"told", token, 101.0) == b"original"


@pytest.mark.parametrize("wrong", ["address", "port", "id", "age", "bits", "length", "key"])
def test_a_token_proves_one_address_one_id_and_for_a_while(wrong: str) -> None:
    tokens = RetryTokens(RUNTIME)
    token = tokens.make(REMOTE, b"original", b"told", 100.0)
    remote: Any = {"address": ("192.0.2.2", 4001), "port": ("192.0.2.1", 4002)}.get(wrong, REMOTE)
    told = b"else" if wrong == "id" else b"told"
    now = 101.0 + TOKEN_SECONDS if wrong == "age" else 101.0
    if wrong == "bits":
        token = token[:-1] + bytes([token[-1] ^ 1])
    if wrong == "length":
        token = token[:20]
    if wrong == "key":
        tokens = RetryTokens(RUNTIME)
    assert tokens.check(remote, told, token, now) is None


# --- stream ids ----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60)))
def test_each_stream_of_the_other_side_is_new_once(ids: list[int]) -> None:
    inbound = InboundIds(Role.DIALER)
    seen: set[int] = set()
    for stream_id in ids:
        assert inbound.is_new(stream_id) is (stream_id % 4 == 0 and stream_id not in seen)
        seen.add(stream_id)


# --- timers --------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 100))), st.integers(0, 100))
def test_timers_tell_each_link_once_by_its_earliest_deadline(
    steps: list[tuple[int, int]], now: int
) -> None:
    timers = Timers()
    earliest: dict[Any, int] = {}
    for link, deadline in steps:
        sooner = deadline < earliest.get(link, 1000)
        assert timers.set(link, deadline) is sooner  # type: ignore[arg-type]
        earliest[link] = min(deadline, earliest.get(link, 1000))
    due = timers.due(now)
    assert sorted(due) == sorted(link for link, at in earliest.items() if at <= now)  # type: ignore[type-var]
    assert timers.due(now) == []


def test_timers_do_not_grow_with_deadlines_that_were_moved() -> None:
    timers = Timers()
    link: Any = object()
    for step in range(10_000):
        timers.set(link, 10_000 - step)
    assert len(timers) < 100
    timers.forget(link)
    assert timers.due(20_000) == []


# --- the socket ----------------------------------------------------------------------------


@pytest.fixture
async def pair() -> Any:
    one, other = (UdpSocket.bind(socket.AF_INET, "127.0.0.1", 0) for _ in range(2))
    yield one, other
    one.close()
    other.close()


def taken(sock: UdpSocket) -> list[bytes]:
    return [
        data[at : at + segment]
        for data, segment, _ in sock.receive()
        for at in range(0, len(data), segment)
    ]


async def test_datagrams_keep_their_borders_however_they_are_joined(pair) -> None:
    one, other = pair
    sent = [bytes([number]) * 1200 for number in range(100)] + [b"short", b"x" * 700, b"y" * 900]
    received: list[bytes] = []
    for start in range(0, len(sent), 25):
        one.send([(data, other.address) for data in sent[start : start + 25]])
        with anyio.fail_after(5):
            await other.wait_readable()
        received += taken(other)
    assert received == sent


async def test_an_empty_datagram_is_nothing(pair) -> None:
    one, other = pair
    one.send([(b"", other.address), (b"behind it", other.address)])
    with anyio.fail_after(5):
        await other.wait_readable()
    assert taken(other) == [b"behind it"]


async def test_what_the_system_does_not_take_waits(pair, monkeypatch) -> None:
    one, other = pair
    full = True
    real = one._socket

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def sendto(self, *args: Any) -> int:
            if full:
                raise BlockingIOError
            return real.sendto(*args)

    monkeypatch.setattr(one, "_socket", Full())
    one.send([(b"first", other.address)])
    one.send([(b"second", other.address)])
    assert one.blocked
    one.flush()
    assert one.blocked
    full = False
    one.flush()
    assert not one.blocked
    with anyio.fail_after(5):
        await other.wait_readable()
    assert taken(other) == [b"first", b"second"]


async def test_closing_wakes_who_waits(pair) -> None:
    one, _ = pair

    async def wait() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await one.wait_readable()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        one.close()
    assert one.closed
