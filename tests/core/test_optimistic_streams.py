"""Streams and handshakes that begin before the other side has agreed to anything."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import (
    KeyPair,
    NegotiationFailed,
    NetworkConfig,
    Node,
    ProtocolNotSupported,
    StreamReset,
)
from peerloom._config import PluginSelection
from peerloom._links import MuxedStream
from peerloom._swarm import _acquaintances
from peerloom._swarm._acquaintances import MAX_PROTOCOLS, Acquaintances
from peerloom._swarm._multistream import Proposer, Responder
from peerloom._swarm._negotiate import NEGOTIATION_SECONDS
from peerloom._swarm._optimistic_stream import MAX_EARLY_BYTES, OptimisticStream, Unanswered
from tests.core.nodes import LOOPBACK, Serving, echo, two_nodes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom import PeerId

ALICE, BOB, CAROL = (KeyPair.from_seed(bytes([number]) * 32).peer_id for number in range(3))

REFUSED = (ProtocolNotSupported, StreamReset)  # which one depends on what was sent


@asynccontextmanager
async def strangers(*plugins: object) -> AsyncGenerator[tuple[Node, PeerId]]:
    """A node, and a peer that it is connected to and that has told nothing of itself."""
    settings = PluginSelection(disabled=("identify",))
    async with two_nodes(*plugins, selection=settings) as (asking, serving):
        yield asking, serving.peer_id


async def test_optimistic_stream_to_a_stranger_carries_what_was_sent_at_once() -> None:
    async with strangers(Serving(echo=echo)) as (asking, peer):
        stream = await asking.client.open_stream(peer, "/echo/1", optimistic=True)
        await stream.send(b"hello")
        await stream.send_eof()
        assert b"".join([chunk async for chunk in stream]) == b"hello"
        await stream.aclose()


async def test_optimistic_stream_that_is_refused_says_so_to_its_reader() -> None:
    async with strangers() as (asking, peer):
        stream = await asking.client.open_stream(peer, "/nope/1", optimistic=True)
        await stream.send(b"hello")
        with pytest.raises(ProtocolNotSupported, match="does not speak /nope/1"):
            await stream.receive()
        with pytest.raises(ProtocolNotSupported, match="does not speak /nope/1"):
            await stream.receive()


async def test_optimistic_stream_that_is_refused_says_so_when_it_is_closed_unread() -> None:
    async with strangers() as (asking, peer):
        stream = await asking.client.open_stream(peer, "/nope/1", optimistic=True)
        await stream.send(b"hello")
        with pytest.raises(ProtocolNotSupported):
            await stream.aclose()


async def test_optimistic_stream_sends_no_more_than_a_bound_before_it_knows() -> None:
    async with strangers() as (asking, peer):
        stream = await asking.client.open_stream(peer, "/nope/1", optimistic=True)
        with pytest.raises(REFUSED):
            await stream.send(bytes(MAX_EARLY_BYTES + 1))


async def test_optimistic_stream_sends_much_in_order_once_it_knows() -> None:
    data = bytes(range(256)) * 4096
    async with strangers(Serving(echo=echo)) as (asking, peer):
        stream = await asking.client.open_stream(peer, "/echo/1", optimistic=True)

        async def send() -> None:
            await stream.send(data)
            await stream.send_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            assert b"".join([chunk async for chunk in stream]) == data
        await stream.aclose()


async def test_what_is_refused_reaches_no_handler_even_if_it_names_a_protocol() -> None:
    seen: list[bytes] = []

    async def see(stream) -> None:
        seen.append(await stream.receive())
        await stream.aclose()

    async with strangers(Serving(see=see)) as (asking, peer):
        stream = await asking.client.open_stream(peer, "/nope/1", optimistic=True)
        await stream.send(b"\x13/multistream/1.0.0\n" + bytes(100))
        with pytest.raises(REFUSED):
            await stream.receive()
        probe = await asking.client.open_stream(peer, "/see/1")
        await probe.send(b"probe")
        with pytest.raises(anyio.EndOfStream):
            await probe.receive()
    assert seen == [b"probe"]


class Recorded(MuxedStream):
    """A stream that agrees when it is told to, and remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.agree = anyio.Event()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await self.agree.wait()
        self.done.append("agreed")
        return Responder(lambda _: True).receive(Proposer(["/x/1"]).start())

    async def send(self, item: bytes) -> None:
        self.done.append("sent")

    async def send_eof(self) -> None:
        self.done.append("ended")

    async def aclose(self) -> None:
        self.done.append("closed")

    def reset(self) -> None:
        self.done.append("reset")


class Silent(Recorded):
    """Hears nothing until it is reset."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await self.agree.wait()
        raise StreamReset("reset here")

    def reset(self) -> None:
        super().reset()
        self.agree.set()


async def test_peer_that_never_answers_is_given_up() -> None:
    now = [0.0]
    unanswered = Unanswered(lambda: now[0])
    refusals = list[str]()
    muxed = Silent()
    stream = OptimisticStream(
        muxed, Proposer(["/x/1"]), ALICE, lambda: refusals.append("refused"), unanswered
    )

    async def give_up() -> None:
        for seconds in (0, NEGOTIATION_SECONDS - 1, NEGOTIATION_SECONDS):
            await anyio.wait_all_tasks_blocked()
            assert muxed.done == []
            now[0] = seconds
            unanswered.give_up_overdue()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_up)
        with pytest.raises(NegotiationFailed, match="named no protocol within 10 s"):
            await stream.receive()
    assert muxed.done == ["reset"]
    assert not refusals
    unanswered.give_up_overdue()
    with pytest.raises(NegotiationFailed):
        await stream.send_eof()


async def test_end_of_what_was_sent_at_once_waits_for_the_agreement() -> None:
    muxed = Recorded()
    unanswered = Unanswered(lambda: 0.0)
    stream = OptimisticStream(muxed, Proposer(["/x/1"]), ALICE, lambda: None, unanswered)
    await stream.send(b"hello")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send_eof)
        await anyio.wait_all_tasks_blocked()
        assert muxed.done == ["sent"]
        muxed.agree.set()
    await stream.aclose()
    assert muxed.done == ["sent", "agreed", "ended", "closed"]


async def test_several_protocols_are_negotiated_though_optimistic() -> None:
    async with strangers(Serving(echo=echo)) as (asking, peer):
        offered = ("/nope/1", "/echo/1")
        stream = await asking.client.open_stream(peer, offered, optimistic=True)
        assert stream.protocol == "/echo/1"
        stream.reset()


@pytest.mark.parametrize("early", [b"x", bytes(1000)])
async def test_peer_that_takes_back_what_it_told_is_asked_from_then_on(early: bytes) -> None:
    async with strangers() as (asking, peer):
        asking._swarm.peer_speaks(peer, ["/nope/1"])
        stream = await asking.client.open_stream(peer, "/nope/1")
        await stream.send(early)
        with pytest.raises(REFUSED):
            await stream.receive()
        with pytest.raises(ProtocolNotSupported):
            await asking.client.open_stream(peer, "/nope/1")


async def test_peer_that_has_changed_its_security_is_dialled_anew_and_asked() -> None:
    identity = KeyPair.generate()
    async with Node(NetworkConfig(strict=True)) as asking:
        address = await _connect(asking, identity, LOOPBACK, "tls")
        assert asking._swarm._acquaintances.security_of(identity.peer_id) == "/tls/1.0.0"
        await _connect(asking, identity, address, "noise")
        assert asking._swarm._acquaintances.security_of(identity.peer_id) == "/noise"
        await _connect(asking, identity, address, "tls")


async def _connect(asking: Node, identity: KeyPair, listen: str, security: str) -> str:
    config = NetworkConfig(identity=identity, listen=[listen], security=[security])
    async with Node(config) as serving:
        info = await asking.client.dial(serving.addresses[0])
        assert info.security == {"tls": "/tls/1.0.0", "noise": "/noise"}[security]
        return str(serving.addresses[0]).partition("/p2p/")[0]


def test_acquaintances_forget_whoever_was_unheard_of_for_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_acquaintances, "MAX_PEERS", 2)
    known = Acquaintances()
    known.said(ALICE, ["/x"])
    known.took_security(BOB, "/noise")
    assert known.speaks(ALICE, "/x") is True
    assert known.speaks(ALICE, "/y") is False
    assert known.speaks(BOB, "/x") is None

    known.took_security(CAROL, "/noise")
    assert known.speaks(ALICE, "/x") is None
    assert known.security_of(BOB) == known.security_of(CAROL) == "/noise"


def test_acquaintances_keep_no_list_that_is_longer_than_any_honest_one() -> None:
    known = Acquaintances()
    known.said(ALICE, [f"/{number}" for number in range(MAX_PROTOCOLS + 1)])
    assert known.speaks(ALICE, "/0") is None


@pytest.mark.parametrize(
    ("agent", "over_quic", "expected"),
    [
        ("js-libp2p/3.3.11 node/20", True, False),
        ("js-libp2p/3.3.11", False, True),
        ("x", True, True),
    ],
)
def test_js_libp2p_is_given_no_data_before_it_agrees_over_quic(
    *, agent: str, over_quic: bool, expected: bool
) -> None:
    known = Acquaintances()
    assert known.may_begin_at_once(ALICE, "/x", over_quic=over_quic) is None
    known.said(ALICE, ["/x"], agent)
    assert known.may_begin_at_once(ALICE, "/x", over_quic=over_quic) is expected
    assert known.may_begin_at_once(ALICE, "/y", over_quic=over_quic) is False
