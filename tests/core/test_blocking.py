"""peerloom.blocking: the same node, client, events and streams without `async`."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isfunction, signature
from threading import Thread
from typing import Any, assert_type

import anyio
import pytest

from peerloom import (
    ConnectionInfo,
    DialFailed,
    FindPeer,
    ListenFailed,
    ListeningOn,
    NetworkConfig,
    NodeClosed,
    NoHandler,
    PeerConnected,
    PeerDisconnected,
    Ping,
    StreamReset,
)
from peerloom import NetworkClient as AsyncClient
from peerloom import Stream as AsyncStream
from peerloom import Subscription as AsyncSubscription
from peerloom.blocking import NetworkClient, Node, Stream, Subscription
from peerloom_stream import Streams
from tests.core.nodes import LOOPBACK, Serving, echo

LISTENING = NetworkConfig(listen=[LOOPBACK], strict=True)
SECONDS = 20  # that something takes which cannot fail to come


@pytest.fixture
def serving(anyio_backend: Any) -> Iterator[Node]:
    """A node that listens and echoes."""
    with Node(LISTENING, plugins=[Serving(echo=echo)], backend=anyio_backend) as node:
        yield node


@pytest.fixture
def asking(serving: Node, anyio_backend: Any) -> Iterator[Node]:
    """A node that is connected to it."""
    with Node(NetworkConfig(strict=True), backend=anyio_backend) as node:
        node.client.dial(serving.addresses[0])
        yield node


def test_call_gives_the_answer(serving: Node, asking: Node) -> None:
    assert asking.client.call(Ping(serving.peer_id)) > 0
    assert asking.client.peers() == (serving.peer_id,)


def test_what_is_given_is_typed(serving: Node, asking: Node) -> None:
    streams = Streams(asking.async_client)
    assert_type(asking.client.call(Ping(serving.peer_id)), float)
    assert_type(asking.client.dial(serving.peer_id), ConnectionInfo)
    assert_type(asking.client.events(PeerConnected), Subscription[PeerConnected])
    with asking.enter(streams.accept_bytes("/typed/1")) as incoming:
        assert_type(asking.iterate(incoming), Iterator[AsyncStream])
    assert_type(asking.run(streams.open_bytes, serving.peer_id, "/echo/1"), AsyncStream)
    assert_type(asking.run(lambda: streams.open_bytes(serving.peer_id, "/echo/1")), AsyncStream)


def test_an_error_is_raised_in_the_caller_with_its_type(asking: Node) -> None:
    with pytest.raises(DialFailed):
        asking.client.dial("/ip4/127.0.0.1/tcp/1")
    with pytest.raises(NoHandler):
        asking.client.call(FindPeer(asking.peer_id))


def test_what_listens_is_told_to_a_new_subscriber(serving: Node) -> None:
    with serving.client.events(ListeningOn) as events:
        address = events.next(timeout=SECONDS).address

    assert [str(one).partition("/p2p/")[0] for one in serving.addresses] == [str(address)]


def test_events_are_iterated_until_the_node_ends(serving: Node, anyio_backend: Any) -> None:
    heard: list[object] = []
    with Node(NetworkConfig(strict=True), backend=anyio_backend) as node:
        events = node.client.events(PeerConnected, PeerDisconnected)
        with events:
            listener = Thread(target=lambda: heard.extend(events))
            listener.start()
            node.client.dial(serving.addresses[0])
            node.client.disconnect(serving.peer_id)
            with node.client.events(PeerConnected) as others:
                node.client.dial(serving.addresses[0])
                others.next(timeout=SECONDS)
    listener.join(SECONDS)

    assert not listener.is_alive()
    assert [type(event) for event in heard[:3]] == [PeerConnected, PeerDisconnected, PeerConnected]


def test_next_has_a_time_limit_and_an_end(asking: Node) -> None:
    text = "^the next item of <Subscription to PeerConnected> took longer than the 0.01 s that "
    with asking.client.events(PeerConnected) as events, pytest.raises(TimeoutError, match=text):
        events.next(timeout=0.01)

    with pytest.raises(NodeClosed, match="subscription has ended"):
        events.next()


def test_a_stream_sends_receives_and_ends(serving: Node, asking: Node) -> None:
    with asking.client.open_stream(serving.peer_id, ["/unknown/1", "/echo/1"]) as stream:
        stream.send(b"hello ")
        assert stream.receive(5) == b"hello"
        text = rf"^receive\(\) of <Stream /echo/1 with {serving.peer_id}> took longer than the 0"
        with pytest.raises(TimeoutError, match=text):
            _ = [stream.receive(timeout=0.01) for _ in range(2)]
        stream.send(memoryview(b"again"))
        assert stream.receive_exactly(2) == b"ag"
        stream.send_eof()
        assert stream.receive_all(3) == b"ain"
        with pytest.raises(anyio.EndOfStream):
            stream.receive()

    assert (stream.peer, stream.protocol) == (serving.peer_id, "/echo/1")
    assert stream.connection in asking.client.connections()


def test_a_reset_stream_says_so_at_the_other_end(serving: Node, asking: Node) -> None:
    with serving.enter(Streams(serving.async_client).accept_bytes("/bytes/1")) as incoming:
        mine = asking.client.open_stream(serving.peer_id, "/bytes/1")
        mine.send(b"x")
        theirs = Stream(serving, serving.run(incoming.receive))
        assert theirs.receive() == b"x"
        mine.reset()

        with pytest.raises(StreamReset):
            theirs.receive(timeout=SECONDS)


def test_a_plugin_is_used_through_the_node(serving: Node, asking: Node) -> None:
    ours, theirs = Streams(asking.async_client), Streams(serving.async_client)
    with serving.enter(theirs.accept("/chat/1")) as incoming:
        with asking.enter(asking.run(ours.open, serving.peer_id, "/chat/1")) as stream:
            asking.run(stream.send, b"one")
            asking.run(stream.send, b"two")
        caller = next(serving.iterate(incoming))

        assert [message.data for message in serving.iterate(caller)] == [b"one", b"two"]


def test_streams_and_subscriptions_close_quietly_after_the_node(
    serving: Node, anyio_backend: Any
) -> None:
    with Node(NetworkConfig(strict=True), backend=anyio_backend) as node:
        node.client.dial(serving.addresses[0])
        stream = node.client.open_stream(serving.peer_id, "/echo/1")
        events = node.client.events(PeerConnected)
        events.__enter__()
    stream.close()
    stream.reset()
    events.__exit__(None, None, None)

    assert list(events) == []
    with pytest.raises(NodeClosed, match="use it inside `with Node"):
        stream.send(b"x")


def test_a_node_that_cannot_start_says_why_and_leaves_nothing(
    serving: Node, anyio_backend: Any
) -> None:
    taken = str(serving.addresses[0]).partition("/p2p/")[0]
    node = Node(NetworkConfig(listen=[taken]), backend=anyio_backend)

    with pytest.raises(ListenFailed, match="in use"), node:
        pass
    with pytest.raises(NodeClosed):
        _ = node.client.peers()


def test_a_backend_that_is_none_is_answered_with_those_that_are() -> None:
    unknown: Any = "curio"
    with pytest.raises(ValueError, match="expected 'asyncio' or 'trio' as the backend"):
        Node(backend=unknown)


def test_a_node_is_itself_before_and_after(anyio_backend: Any) -> None:
    node = Node(LISTENING, backend=anyio_backend)
    with pytest.raises(NodeClosed, match=r"not started.* `with` where"):
        _ = node.client
    with pytest.raises(NodeClosed, match="use it inside `with Node"):
        _ = node.addresses
    with node:
        peer = node.peer_id
    assert node.config is LISTENING
    assert node.identity.peer_id == peer
    with pytest.raises(NodeClosed, match="use it inside `with Node"):
        node.client.status()
    with pytest.raises(NodeClosed, match="make another one"), node:
        pass


def test_metrics_are_those_of_the_node_beneath(asking: Node) -> None:
    names = {family.name for family in asking.metrics.registry().collect()}

    assert any(name.startswith("peerloom_swarm") for name in names)


@pytest.mark.parametrize(
    ("beneath", "ours"),
    [(AsyncClient, NetworkClient), (AsyncStream, Stream), (AsyncSubscription, Subscription)],
)
def test_nothing_that_the_async_one_does_is_left_out(beneath: type, ours: type) -> None:
    named = {"aclose": "close"}
    fed_by_the_node = {"offer", "end"}
    verbs = {key for key, value in vars(beneath).items() if isfunction(value) and key[0] != "_"}

    assert verbs
    assert {named.get(verb, verb) for verb in verbs} - fed_by_the_node <= set(dir(ours))


@pytest.mark.parametrize(
    "verb", [name for name, it in vars(AsyncClient).items() if isfunction(it) and name[0] != "_"]
)
def test_a_verb_takes_what_the_async_one_takes(verb: str) -> None:
    beneath, ours = (getattr(client, verb) for client in (AsyncClient, NetworkClient))

    assert signature(ours) == signature(beneath)
    assert ours.__doc__
