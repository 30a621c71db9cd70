"""A node's life, and two nodes over loopback."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import (
    DialFailed,
    KeyPair,
    ListenFailed,
    ListeningOn,
    MalformedMessage,
    Multiaddr,
    NetworkConfig,
    Node,
    NodeClosed,
    PeerConnected,
    PeerDisconnected,
    PluginSelection,
    ProtocolNotSupported,
    StreamReset,
    WrongPeerId,
)
from peerloom._swarm import Swarm
from tests.core.nodes import LOOPBACK, Serving, echo, heard, two_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


async def test_a_node_listens_when_its_block_begins() -> None:
    async with Node(NetworkConfig(listen=[LOOPBACK])) as node:
        (address,) = node.addresses
        assert str(address).endswith(f"/p2p/{node.peer_id}")
        async with node.client.events(ListeningOn) as events:
            first = await heard(events, ListeningOn)
            assert str(address).startswith(str(first.address))


async def test_a_node_that_can_listen_nowhere_raises_listen_failed_itself() -> None:
    async with Node(NetworkConfig(listen=[LOOPBACK])) as node:
        taken = str(node.addresses[0]).partition("/p2p/")[0]
        with pytest.raises(ListenFailed, match="in use; choose another port, or 0"):
            async with Node(NetworkConfig(listen=[taken])):
                pass


async def test_a_node_that_can_listen_somewhere_starts_and_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Node(NetworkConfig(listen=[LOOPBACK])) as node:
        taken = str(node.addresses[0]).partition("/p2p/")[0]
        with caplog.at_level(logging.WARNING, "peerloom"):
            async with Node(NetworkConfig(listen=[taken, LOOPBACK])) as other:
                assert len(other.addresses) == 1
        assert "in use" in caplog.text


async def test_a_start_that_is_cancelled_as_the_swarm_comes_up_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Swarm.run

    async def run_and_cancel(swarm: Swarm, started: Callable[[], None]) -> None:
        def cancel_first() -> None:
            scope.cancel()
            started()

        await run(swarm, cancel_first)

    monkeypatch.setattr(Swarm, "run", run_and_cancel)
    with anyio.CancelScope() as scope:
        async with Node():
            raise AssertionError("it started")
    assert scope.cancelled_caught


async def test_a_plugin_that_is_disabled_and_does_not_exist_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    selection = PluginSelection(disabled=["strean"])
    with caplog.at_level(logging.WARNING, "peerloom"):
        async with Node(NetworkConfig(plugins=selection)):
            assert "strean is disabled, but there is no such plugin" in caplog.text


def test_a_node_that_has_not_started_says_so() -> None:
    node = Node()
    for ask in (lambda: node.client, lambda: node.addresses, lambda: node.peer_id):
        with pytest.raises(NodeClosed, match="async with Node"):
            ask()


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Node():
            raise ZeroDivisionError


async def test_a_cancelled_block_still_says_goodbye_to_its_peers() -> None:
    async with (
        Node(NetworkConfig(listen=[LOOPBACK])) as stays,
        stays.client.events(PeerDisconnected) as events,
    ):
        with anyio.CancelScope() as scope:
            async with Node() as leaves:
                await leaves.client.dial(stays.addresses[0])
                scope.cancel()
                await anyio.sleep_forever()
        with anyio.fail_after(5):
            assert (await heard(events, PeerDisconnected)).cause == "the other side closed it"


async def test_a_client_of_a_closed_node_says_so() -> None:
    async with Node() as node:
        client = node.client
    with pytest.raises(NodeClosed):
        await client.peers()


async def test_a_node_keeps_its_identity_in_its_data_folder(tmp_path) -> None:
    config = NetworkConfig(data_folder=tmp_path / "data")
    async with Node(config) as node:
        first = node.peer_id
    async with Node(config) as node:
        assert node.peer_id == first


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1", "rsa", "ecdsa"])
async def test_nodes_of_every_key_type_connect(kind) -> None:
    identity = KeyPair.generate(kind)
    for security in ("tls", "noise"):
        config = NetworkConfig(listen=[LOOPBACK], identity=identity, security=(security,))
        async with Node(config) as one, Node(NetworkConfig(security=(security,))) as other:
            info = await other.client.dial(one.addresses[0])
            assert info.peer == identity.peer_id
            assert info.security == {"tls": "/tls/1.0.0", "noise": "/noise"}[security]


@pytest.mark.parametrize("security", ["tls", "noise"])
async def test_ten_mebibytes_come_back_as_they_went(security: str) -> None:
    data = bytes(range(256)) * 40 * 1024
    async with two_nodes(Serving(echo=echo), security=(security,)) as (asking, serving):
        stream = await asking.client.open_stream(serving.peer_id, "/echo/1")
        digest = hashlib.sha256()

        async def send() -> None:
            await stream.send(data)
            await stream.send_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            async for chunk in stream:
                digest.update(chunk)
        assert digest.digest() == hashlib.sha256(data).digest()
        await stream.aclose()


async def test_a_hundred_streams_run_at_once() -> None:
    async with two_nodes(Serving(echo=echo)) as (asking, serving):
        answers = set()

        async def ask(number: int) -> None:
            stream = await asking.client.open_stream(serving.peer_id, "/echo/1")
            await stream.send(str(number).encode())
            await stream.send_eof()
            answers.add(b"".join([chunk async for chunk in stream]))
            await stream.aclose()

        async with anyio.create_task_group() as tasks:
            for number in range(32):  # the bound of one peer's streams of a protocol
                tasks.start_soon(ask, number)
        assert answers == {str(number).encode() for number in range(32)}


async def test_a_protocol_that_nobody_speaks_is_an_error_that_names_it() -> None:
    async with two_nodes() as (asking, serving):
        with pytest.raises(ProtocolNotSupported, match=r"does not speak /nope/1"):
            await asking.client.open_stream(serving.peer_id, "/nope/1")


async def test_a_reset_is_not_an_end() -> None:
    async def refuse(stream) -> None:
        stream.reset()

    async with two_nodes(Serving(refuse=refuse)) as (asking, serving):
        # The reset may overtake the answer that agrees on the protocol.
        with pytest.raises(StreamReset):  # noqa: PT012
            stream = await asking.client.open_stream(serving.peer_id, "/refuse/1")
            await stream.receive()


def speaking(chunks: Sequence[bytes]) -> Serving:
    async def speak(stream) -> None:
        async with stream:
            for chunk in chunks:
                await stream.send(chunk)

    return Serving(speak=speak)


async def test_exactly_so_many_bytes_are_received_or_it_is_an_error() -> None:
    async with two_nodes(speaking([b"ab", b"cde", b"f"])) as (asking, serving):
        stream = await asking.client.open_stream(serving.peer_id, "/speak/1")
        assert await stream.receive_exactly(4) == b"abcd"
        assert await stream.receive_exactly(1) == b"e"
        with pytest.raises(MalformedMessage, match="inside a message"):
            await stream.receive_exactly(2)
        with pytest.raises(anyio.EndOfStream):
            await stream.receive_exactly(2)
        await stream.aclose()


async def test_all_is_received_up_to_a_bound() -> None:
    async with two_nodes(speaking([b"ab", b"cde"])) as (asking, serving):
        async with await asking.client.open_stream(serving.peer_id, "/speak/1") as stream:
            assert await stream.receive_all(5) == b"abcde"
        async with await asking.client.open_stream(serving.peer_id, "/speak/1") as stream:
            with pytest.raises(MalformedMessage, match="more than 4 bytes"):
                await stream.receive_all(4)


@pytest.mark.parametrize("fails", [False, True])
async def test_only_a_block_that_ends_well_ends_its_stream_cleanly(fails: bool) -> None:  # noqa: FBT001
    endings = list[type[Exception]]()
    over = anyio.Event()

    async def listen(stream) -> None:
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, StreamReset) as ending:
            endings.append(type(ending))
            over.set()

    async with two_nodes(Serving(listen=listen)) as (asking, serving):
        with suppress(ZeroDivisionError):
            async with await asking.client.open_stream(serving.peer_id, "/listen/1") as stream:
                await stream.send(b"half of it")
                if fails:
                    raise ZeroDivisionError
        with anyio.fail_after(5):
            await over.wait()
    assert endings == [StreamReset if fails else anyio.EndOfStream]


async def test_a_wrong_peer_id_fails_that_address_only() -> None:
    listening = NetworkConfig(listen=[LOOPBACK])
    async with Node(listening) as right, Node(listening) as wrong, Node() as asking:
        bare = Multiaddr(str(wrong.addresses[0]).partition("/p2p/")[0])
        with pytest.raises(DialFailed) as raised:
            await asking.client.dial(right.peer_id, [bare])
        ((address, cause),) = raised.value.attempts
        assert address == bare
        assert isinstance(cause, WrongPeerId)
        both = [bare, right.addresses[0]]
        assert (await asking.client.dial(right.peer_id, both)).peer == right.peer_id


async def test_concurrent_dials_share_one_connection() -> None:
    async with Node(NetworkConfig(listen=[LOOPBACK])) as serving, Node() as asking:
        found = []

        async def dial() -> None:
            found.append((await asking.client.dial(serving.addresses[0])).id)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(dial)
        assert len(set(found)) == 1
        assert len(await asking.client.connections()) == 1


async def test_a_node_does_not_dial_itself() -> None:
    async with Node(NetworkConfig(listen=[LOOPBACK])) as node:
        with pytest.raises(DialFailed, match="this node itself"):
            await node.client.dial(node.addresses[0])
        bare = Multiaddr(str(node.addresses[0]).partition("/p2p/")[0])
        with pytest.raises(DialFailed, match="this node itself"):
            await node.client.dial(bare)


async def test_both_sides_hear_of_a_connection_and_of_its_end() -> None:
    async with (
        Node(NetworkConfig(listen=[LOOPBACK])) as serving,
        Node() as asking,
        serving.client.events(PeerConnected, PeerDisconnected) as theirs,
        asking.client.events(PeerConnected, PeerDisconnected) as ours,
    ):
        await asking.client.dial(serving.addresses[0])
        with anyio.fail_after(5):
            assert (await heard(theirs, PeerConnected)).peer == asking.peer_id
            assert (await heard(ours, PeerConnected)).peer == serving.peer_id
            assert await asking.client.disconnect(serving.peer_id) == 1
            assert (await heard(ours, PeerDisconnected)).cause == "closed by the application"
            gone = await heard(theirs, PeerDisconnected)
            assert (gone.peer, gone.remaining) == (asking.peer_id, 0)


async def test_an_idle_connection_is_closed_and_a_protected_one_is_not() -> None:
    serving = Node(NetworkConfig(listen=[LOOPBACK], keep_alive_seconds=60))
    asking = Node(NetworkConfig(keep_alive_seconds=0))
    async with serving, asking, asking.client.events(PeerDisconnected) as events:
        await asking.client.dial(serving.addresses[0])
        await asking.client.protect(serving.peer_id)
        asking._swarm.close_idle()
        assert len(await asking.client.connections()) == 1
        await asking.client.unprotect(serving.peer_id)
        asking._swarm.close_idle()
        with anyio.fail_after(10):
            gone = await heard(events, PeerDisconnected)
        assert (gone.cause, gone.intended) == ("nothing needs it", True)


async def one_byte_back(asking: Node, serving: Node) -> None:
    stream = await asking.client.open_stream(serving.peer_id, "/echo/1")
    await stream.send(b"y")
    assert await stream.receive() == b"y"
    await stream.aclose()


async def all_streams_ended(node: Node) -> None:
    # Nothing tells when the other side's end of a stream has closed.
    while node._swarm.status()["inbound_streams"].get("/echo/1"):  # noqa: ASYNC110
        await anyio.sleep(0.01)


async def test_streams_of_one_peer_beyond_the_bound_are_reset_and_slots_come_back() -> None:
    async with two_nodes(Serving(echo=echo)) as (asking, serving):
        streams = []
        for _ in range(32):
            stream = await asking.client.open_stream(serving.peer_id, "/echo/1")
            await stream.send(b"x")
            assert await stream.receive() == b"x"
            streams.append(stream)
        with pytest.raises(StreamReset):
            await one_byte_back(asking, serving)
        for stream in streams:
            await stream.aclose()
        with anyio.fail_after(5):
            await all_streams_ended(serving)
        await one_byte_back(asking, serving)


async def test_status_tells_of_swarm_loop_and_plugins() -> None:
    async with two_nodes() as (asking, serving):
        status = await asking.client.status()
        assert status["plugins"]["swarm"]["report"]["connections"] == 1
        assert status["peer_id"] == str(asking.peer_id)
        assert status["loop"]["queues"]["commands"]["bound"] == 1024
        assert str(serving.addresses[0]).startswith(
            (await serving.client.status())["plugins"]["swarm"]["report"]["listen_addresses"][0]
        )


async def test_what_the_swarm_does_is_counted_for_prometheus() -> None:
    async with two_nodes() as (asking, serving):
        with pytest.raises(DialFailed):
            await asking.client.dial("/ip4/127.0.0.1/tcp/1")
        await asking.client.status()  # by now the events before it have been dispatched
        samples = asking.metrics.registry().get_sample_value
        assert samples("peerloom_swarm_connections") == 1
        opened = {"role": "dialer", "security": "/tls/1.0.0"}
        assert samples("peerloom_swarm_connections_opened_total", opened) == 1
        assert samples("peerloom_swarm_dials_failed_total") == 1
        refused = {"cause": "ConnectionRefusedError"}
        assert samples("peerloom_swarm_addresses_failed_total", refused) == 1
        assert await serving.client.disconnect(asking.peer_id) == 1


async def test_a_node_may_take_a_free_port_in_place_of_a_taken_one() -> None:
    async with Node(NetworkConfig(listen=[LOOPBACK])) as node:
        taken = str(node.addresses[0]).partition("/p2p/")[0]
        async with Node(NetworkConfig(listen=[taken], free_port_if_taken=True)) as other:
            (address,) = other.addresses
            assert str(address).startswith("/ip4/127.0.0.1/tcp/")
            assert taken not in str(address)
