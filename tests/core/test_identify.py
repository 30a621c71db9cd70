"""Identify and its push between real nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from multiaddr import Multiaddr

from peerloom import (
    IdentifyFailed,
    IdentifyReceived,
    MalformedMessage,
    PeerDisconnected,
    ProtocolNotSupported,
)
from peerloom._framing import encode_message
from peerloom._libp2p import KeyPair, open_peer_record, seal_peer_record
from peerloom._meta._identify import IDENTIFY_PROTOCOL, _may_be_external
from peerloom._meta._identify_codec import IdentifyMessage, encode_identify
from peerloom._meta._identify_state import PUSH_PROTOCOL
from tests.core.meta_nodes import Serves, connect, listen_address, next_event, started_node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom import Stream


async def test_both_sides_of_a_new_connection_are_identified() -> None:
    async with (
        started_node() as one,
        started_node() as other,
        one.client.events(IdentifyReceived) as heard_by_one,
        other.client.events(IdentifyReceived) as heard_by_other,
    ):
        connection = await connect(one, other)
        of_other = await next_event(heard_by_one)
        of_one = await next_event(heard_by_other)

        assert of_other.peer == other.peer_id
        assert of_other.connection_id == connection.id
        assert of_other.agent.startswith("peerloom")
        assert {IDENTIFY_PROTOCOL, PUSH_PROTOCOL, "/ipfs/ping/1.0.0"} <= set(of_other.protocols)
        assert of_other.listen_addresses == (await listen_address(other),)
        assert of_other.observed_address == connection.local_address
        assert not of_other.pushed
        record = open_peer_record(of_other.signed_record)
        assert (record.peer, record.addresses) == (other.peer_id, of_other.listen_addresses)
        assert of_one.peer == one.peer_id
        assert of_one.observed_address == connection.remote_address


async def test_new_listen_address_is_pushed() -> None:
    async with (
        started_node() as one,
        started_node() as other,
        one.client.events(IdentifyReceived) as heard,
        other.client.events(IdentifyReceived) as heard_by_other,
    ):
        await connect(one, other)
        first = await next_event(heard)
        await next_event(heard_by_other)
        await other.client.listen_on("/ip4/127.0.0.1/tcp/0")
        pushed = await next_event(heard, lambda event: len(event.listen_addresses) == 2)

        assert pushed.pushed
        assert set(first.listen_addresses) < set(pushed.listen_addresses)
        old, new = (open_peer_record(event.signed_record) for event in (first, pushed))
        assert old.sequence < new.sequence


async def test_confirmed_external_address_is_pushed_and_told_first() -> None:
    external = Multiaddr("/ip4/198.51.100.7/tcp/4001")
    async with (
        started_node() as one,
        started_node() as other,
        one.client.events(IdentifyReceived) as heard,
        other.client.events(IdentifyReceived) as heard_by_other,
    ):
        await connect(one, other)
        await next_event(heard_by_other)
        await other.client.add_external_address(external)
        pushed = await next_event(heard, lambda event: external in event.listen_addresses)

        assert pushed.listen_addresses[0] == external


async def test_peer_is_identified_again_after_the_interval() -> None:
    async with (
        started_node(identify={"interval_seconds": 1}) as one,
        started_node() as other,
        one.client.events(IdentifyReceived) as heard,
    ):
        await connect(one, other)
        for _ in range(3):
            assert not (await next_event(heard)).pushed


async def test_peer_without_identify_fails_to_be_identified_and_stays_connected() -> None:
    async with (
        started_node() as one,
        started_node(without=("identify",)) as other,
        one.client.events(IdentifyFailed) as failures,
    ):
        await connect(one, other)
        failure = await next_event(failures)

        assert isinstance(failure.cause, ProtocolNotSupported)
        assert await one.client.peers() == (other.peer_id,)


async def test_peer_that_says_nothing_fails_to_be_identified_in_time() -> None:
    async def silence(stream: Stream) -> None:
        await stream.receive()

    async with (
        started_node(identify={"timeout_seconds": 0.3}) as one,
        started_node(Serves(IDENTIFY_PROTOCOL, silence), without=("identify",)) as other,
        one.client.events(IdentifyFailed) as failures,
    ):
        await connect(one, other)

        assert isinstance((await next_event(failures)).cause, TimeoutError)


RELAY = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
STRANGER = IdentifyMessage(public_key=bytes.fromhex("08011220") + bytes(32))


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff" * 20, id="garbage"),
        pytest.param(encode_message(b"\x0a"), id="no protobuf"),
        pytest.param(encode_message(b"\x2a\x01x")[:-1], id="cut short"),
        pytest.param(encode_message(bytes(65_537)), id="too long"),
        pytest.param(encode_message(b"") * 11, id="too many parts"),
        pytest.param(encode_message(encode_identify(STRANGER)[0]), id="the key of another peer"),
    ],
)
async def test_peer_that_answers_nonsense_fails_to_be_identified(wire: bytes) -> None:
    async with (
        started_node() as one,
        started_node(Serves(IDENTIFY_PROTOCOL, says(wire)), without=("identify",)) as other,
        one.client.events(IdentifyFailed) as failures,
    ):
        await connect(one, other)

        assert isinstance((await next_event(failures)).cause, MalformedMessage)


async def test_signed_record_of_somebody_else_is_not_believed() -> None:
    told, claimed = (Multiaddr(f"/ip4/10.0.0.{n}/tcp/1") for n in (1, 2))
    record = seal_peer_record(KeyPair.generate(), [claimed], 1)
    message = IdentifyMessage(listen_addresses=(told,), signed_record=record)
    wire = b"".join(map(encode_message, encode_identify(message)))
    async with (
        started_node() as one,
        started_node(Serves(IDENTIFY_PROTOCOL, says(wire)), without=("identify",)) as other,
        one.client.events(IdentifyReceived) as heard,
    ):
        await connect(one, other)
        event = await next_event(heard)

        assert event.listen_addresses == (told,)
        assert event.signed_record is None


async def test_push_of_a_part_changes_that_part_alone() -> None:
    async with (
        started_node() as one,
        started_node() as other,
        one.client.events(IdentifyReceived) as heard,
    ):
        await connect(one, other)
        known = await next_event(heard)
        stream = await other.client.open_stream(one.peer_id, PUSH_PROTOCOL)
        await stream.send(encode_message(encode_identify(IdentifyMessage(agent="new"))[0]))
        await stream.aclose()
        pushed = await next_event(heard, lambda event: event.agent == "new")

        assert pushed.pushed
        assert pushed.protocols == known.protocols
        assert pushed.listen_addresses == known.listen_addresses
        assert pushed.signed_record == known.signed_record


async def test_peer_that_pushes_nonsense_three_times_is_cut_off() -> None:
    async with (
        started_node() as one,
        started_node() as other,
        other.client.events(PeerDisconnected) as ends,
    ):
        await connect(other, one)
        for _ in range(3):
            stream = await other.client.open_stream(one.peer_id, PUSH_PROTOCOL)
            await stream.send(b"\xff" * 20)

        assert (await next_event(ends)).peer == one.peer_id


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/ip4/198.51.100.7/tcp/4001", True),
        ("/ip6/2001:db8::1/udp/4001/quic-v1", True),
        ("/ip4/192.168.1.2/tcp/4001", True),
        ("/ip4/127.0.0.1/tcp/4001", False),
        ("/ip6/::1/tcp/4001", False),
        ("/ip4/0.0.0.0/tcp/4001", False),
        (
            "/ip4/198.51.100.7/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp/p2p-circuit",
            False,
        ),
    ],
)
def test_observed_address_may_be_external(address: str, expected: bool) -> None:  # noqa: FBT001
    assert _may_be_external(Multiaddr(address)) is expected


def says(wire: bytes) -> Callable[[Stream], Awaitable[None]]:
    async def say(stream: Stream) -> None:
        await stream.send(wire)
        await stream.aclose()

    return say
