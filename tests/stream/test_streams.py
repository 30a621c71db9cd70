"""Streams of messages and of bytes between real nodes."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom import (
    Lagged,
    MalformedMessage,
    NetworkConfig,
    Node,
    NodeClosed,
    NoHandler,
    PluginError,
    ProtocolNotSupported,
    StreamError,
    StreamReset,
)
from peerloom._config import PluginSelection
from peerloom.testing import Nodes, no_leaks
from peerloom_stream import (
    JSON_STREAM_PROTOCOL,
    MAX_FRAME_BYTES,
    OLD_STREAM_PROTOCOL,
    STREAM_PROTOCOL,
    AcceptStreams,
    FramedStream,
    Message,
    MessageJsonCodec,
    StreamOpened,
    Streams,
)
from peerloom_stream._frames import encode_frame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom_stream import IncomingStreams

PROTOCOL = "/test/1.0.0"
LIMIT_SECONDS = 20.0


@asynccontextmanager
async def started_node() -> AsyncGenerator[Node, None]:
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        yield node


@asynccontextmanager
async def connected(**settings: Any) -> AsyncGenerator[tuple[Node, Node], None]:
    """Two nodes; the first has dialled the second, which has the settings."""
    async with no_leaks(), Nodes() as nodes:
        [one] = await nodes()
        [other] = await nodes(settings={"stream": settings})
        await nodes.connect(one, other)
        with anyio.fail_after(LIMIT_SECONDS):
            yield one, other


async def echo_all(incoming: IncomingStreams[FramedStream]) -> None:
    async with anyio.create_task_group() as tasks:
        async for stream in incoming:
            tasks.start_soon(echo, stream)


async def echo(stream: FramedStream) -> None:
    async with stream:
        async for message in stream:
            await stream.send(message)


async def test_messages_of_every_size_come_back_whole_and_in_order() -> None:
    messages = [b"", b"x", bytes(70_000), b"y" * MAX_FRAME_BYTES, b"last"]
    async with (
        connected() as (one, other),
        Streams(other.client).accept(PROTOCOL) as incoming,
        anyio.create_task_group() as t,
    ):
        t.start_soon(echo_all, incoming)
        stream = await Streams(one.client).open(other.peer_id, PROTOCOL)
        for data in messages:
            await stream.send(data)
            assert await stream.receive() == Message(data)
        await stream.send_eof()
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        t.cancel_scope.cancel()


async def test_peer_id_may_be_text_and_the_stream_says_who_and_what() -> None:
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await Streams(one.client).open(str(other.peer_id), PROTOCOL)
        await stream.send(b"hello")
        accepted = await incoming.receive()

        assert (stream.peer, stream.protocol) == (other.peer_id, PROTOCOL)
        assert (accepted.peer, accepted.protocol) == (one.peer_id, PROTOCOL)
        assert await accepted.receive() == Message(b"hello")


async def test_byte_streams_carry_bulk_data_with_half_close() -> None:
    data = bytes(range(256)) * 20_000
    async with (
        connected() as (one, other),
        Streams(other.client).accept_bytes(PROTOCOL) as incoming,
    ):
        stream = await Streams(one.client).open_bytes(other.peer_id, PROTOCOL)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send_all, stream, data)
            accepted = await incoming.receive()
            received = await read_all(accepted)

        assert received == data
        await accepted.send(b"thanks")
        await accepted.aclose()
        assert await read_all(stream) == b"thanks"


async def send_all(stream: Any, data: bytes) -> None:
    await stream.send(data)
    await stream.send_eof()


async def read_all(stream: Any) -> bytes:
    received = bytearray()
    while True:
        try:
            received += await stream.receive()
        except anyio.EndOfStream:
            return bytes(received)


@pytest.mark.parametrize("protocol", [STREAM_PROTOCOL, OLD_STREAM_PROTOCOL])
async def test_calimero_protocols_carry_raw_frames(protocol: str) -> None:
    async with connected() as (one, other), other.client.events(StreamOpened) as events:
        stream = await one.client.open_stream(other.peer_id, protocol)
        await stream.send(b"\x00\x00\x00\x02hi")
        opened = await opened_stream(events)

        assert (opened.peer, opened.protocol) == (one.peer_id, protocol)
        assert await opened.stream.receive() == Message(b"hi")
        await opened.stream.send(b"yes")
        assert await stream.receive() == b"\x00\x00\x00\x03yes"


async def test_json_protocol_carries_what_the_ancestors_readme_describes() -> None:
    async with connected() as (one, other), other.client.events(StreamOpened) as events:
        framed = await Streams(one.client).open(other.peer_id, JSON_STREAM_PROTOCOL)
        await framed.send(b"Hello")
        opened = await opened_stream(events)
        assert await opened.stream.receive() == Message(b"Hello")

        raw = await one.client.open_stream(other.peer_id, JSON_STREAM_PROTOCOL)
        await raw.send(encode_frame(json.dumps({"data": [1, 2]}).encode()))
        opened = await opened_stream(events)
        assert await opened.stream.receive() == Message(b"\x01\x02")
        await opened.stream.send(b"\x03")
        assert await raw.receive() == encode_frame(b'{"data":[3]}')


async def opened_stream(events: Any) -> StreamOpened:
    event = await anext(events)
    assert not isinstance(event, Lagged)
    assert isinstance(event, StreamOpened)
    return event


async def test_any_protocol_may_have_any_codec_at_run_time() -> None:
    codec = MessageJsonCodec()
    data = bytes(range(256)) * 4000
    async with (
        connected() as (one, other),
        Streams(other.client).accept(PROTOCOL, codec=codec) as incoming,
    ):
        stream = await Streams(one.client).open(other.peer_id, PROTOCOL, codec=codec)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, data)
            accepted = await incoming.receive()

            assert (await accepted.receive()).data == data


async def test_protocol_is_spoken_while_it_is_accepted_and_no_longer() -> None:
    async with connected() as (one, other):
        streams = Streams(one.client)
        with pytest.raises(ProtocolNotSupported):
            await streams.open(other.peer_id, PROTOCOL)
        async with Streams(other.client).accept(PROTOCOL):
            await streams.open(other.peer_id, PROTOCOL)
        with pytest.raises(ProtocolNotSupported):
            await streams.open(other.peer_id, PROTOCOL)


async def test_protocol_is_accepted_by_one_at_a_time() -> None:
    async with started_node() as node:
        streams = Streams(node.client)
        async with streams.accept(PROTOCOL):
            with pytest.raises(StreamError, match="accepted already"):
                async with streams.accept_bytes(PROTOCOL):
                    pass
        async with streams.accept_bytes(PROTOCOL):
            pass


async def test_acceptor_that_nobody_holds_any_more_is_gone() -> None:
    async with connected() as (one, other):
        await other.client.call(AcceptStreams(PROTOCOL))  # as a caller that was cancelled
        async with Streams(other.client).accept(PROTOCOL) as incoming:
            await Streams(one.client).open(other.peer_id, PROTOCOL)

            assert (await incoming.receive()).peer == one.peer_id


async def test_protocol_of_another_plugin_cannot_be_accepted_and_nothing_else_suffers() -> None:
    async with connected() as (one, other):
        streams = Streams(other.client)
        with pytest.raises(PluginError, match="ping"):
            async with streams.accept("/ipfs/ping/1.0.0"):
                pass
        async with streams.accept(PROTOCOL) as incoming:
            await (await Streams(one.client).open(other.peer_id, PROTOCOL)).send(b"x")
            assert await (await incoming.receive()).receive() == Message(b"x")


async def test_stream_that_nobody_claims_is_reset() -> None:
    async with connected(claim_seconds=0.2) as (one, other):
        stream = await one.client.open_stream(other.peer_id, STREAM_PROTOCOL)
        await stream.send(b"\x00\x00\x00\x00")

        with pytest.raises(StreamReset):
            await stream.receive()


async def test_stream_that_a_listener_uses_is_not_reset() -> None:
    async with (
        connected(claim_seconds=0.2) as (one, other),
        other.client.events(StreamOpened) as events,
    ):
        stream = await one.client.open_stream(other.peer_id, STREAM_PROTOCOL)
        await stream.send(encode_frame(b"first"))
        opened = await opened_stream(events)
        assert await opened.stream.receive() == Message(b"first")
        unclaimed = await one.client.open_stream(other.peer_id, STREAM_PROTOCOL)
        with pytest.raises(StreamReset):
            await unclaimed.receive()
        await stream.send(encode_frame(b"second"))

        assert await opened.stream.receive() == Message(b"second")


async def test_end_of_stream_inside_a_frame_is_an_error() -> None:
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await one.client.open_stream(other.peer_id, PROTOCOL)
        await stream.send(encode_frame(b"whole") + encode_frame(b"cut short")[:-1])
        await stream.send_eof()
        accepted = await incoming.receive()

        assert await accepted.receive() == Message(b"whole")
        with pytest.raises(MalformedMessage, match="inside a frame"):
            await accepted.receive()
        with pytest.raises(StreamReset):
            await stream.receive()


async def test_frame_over_8_mib_is_refused_before_it_arrives_and_the_stream_is_reset() -> None:
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await one.client.open_stream(other.peer_id, PROTOCOL)
        await stream.send((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
        accepted = await incoming.receive()

        with pytest.raises(MalformedMessage, match="8388609 bytes"):
            await accepted.receive()
        with pytest.raises(StreamReset):
            await stream.receive()


async def test_what_is_no_message_or_over_8_mib_is_not_sent_and_the_stream_goes_on() -> None:
    text: Any = "text"
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await Streams(one.client).open(other.peer_id, PROTOCOL)
        with pytest.raises(ValueError, match="8388609 bytes"):
            await stream.send(bytes(MAX_FRAME_BYTES + 1))
        with pytest.raises(TypeError, match=r"found 'text': text becomes some by encode\(\)"):
            await stream.send(text)
        await stream.send(b"still here")

        assert await (await incoming.receive()).receive() == Message(b"still here")


async def test_reset_is_no_clean_end() -> None:
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await Streams(one.client).open(other.peer_id, PROTOCOL)
        await stream.send(b"x")
        accepted = await incoming.receive()
        assert await accepted.receive() == Message(b"x")
        stream.reset()

        with pytest.raises(StreamReset):
            await accepted.receive()


async def test_messages_of_several_senders_on_one_stream_stay_whole() -> None:
    bodies = [bytes([n]) * 200_000 for n in range(8)]
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await Streams(one.client).open(other.peer_id, PROTOCOL)
        async with anyio.create_task_group() as tasks:
            for body in bodies:
                tasks.start_soon(stream.send, body)
            accepted = await incoming.receive()
            received = [(await accepted.receive()).data for _ in bodies]

        assert sorted(received) == bodies


async def test_cancelled_send_resets_the_stream_for_its_frame_is_cut() -> None:
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        stream = await Streams(one.client).open(other.peer_id, PROTOCOL)
        with anyio.move_on_after(1.0) as scope:
            while True:  # nobody reads: the window fills, and a send is held
                await stream.send(bytes(MAX_FRAME_BYTES))
        assert scope.cancelled_caught
        accepted = await incoming.receive()

        with pytest.raises(StreamReset):
            await receive_all(accepted)


async def test_cancelled_send_resets_a_byte_stream_for_an_unknown_part_has_gone() -> None:
    async with (
        connected() as (one, other),
        Streams(other.client).accept_bytes(PROTOCOL) as door,
    ):
        async with await Streams(one.client).open_bytes(other.peer_id, PROTOCOL) as stream:
            with anyio.move_on_after(0.1) as scope:
                await stream.send(bytes(64 * 2**20))  # nobody reads
            assert scope.cancelled_caught
        accepted = await door.receive()

        with pytest.raises(StreamReset):
            await accepted.receive_all(64 * 2**20)


async def receive_all(stream: FramedStream) -> list[Message]:
    return [message async for message in stream]


async def test_a_hundred_streams_at_once_all_echo() -> None:
    async with connected() as (one, other), Streams(other.client).accept(PROTOCOL) as incoming:
        answers: list[bytes] = []

        async def ask(number: int) -> None:
            async with await Streams(one.client).open(other.peer_id, PROTOCOL) as stream:
                await stream.send(b"%d" % number)
                answers.append((await stream.receive()).data)

        async with anyio.create_task_group() as echoes:
            echoes.start_soon(echo_all, incoming)
            async with anyio.create_task_group() as tasks:
                for number in range(100):
                    tasks.start_soon(ask, number)
            echoes.cancel_scope.cancel()

        assert sorted(map(int, answers)) == list(range(100))


async def test_acceptor_learns_that_its_node_has_stopped() -> None:
    async with started_node() as node:
        accepting = Streams(node.client).accept(PROTOCOL)
        incoming = await accepting.__aenter__()

    with pytest.raises(NodeClosed):
        await incoming.receive()
    await accepting.__aexit__(None, None, None)


async def test_streams_says_at_once_that_the_plugin_is_not_there() -> None:
    config = NetworkConfig(plugins=PluginSelection(disabled=("stream",)))
    async with Node(config) as node:
        with pytest.raises(NoHandler):
            Streams(node.client)
