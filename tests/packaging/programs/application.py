"""What an application uses, and which types it sees: checked, not run."""

from typing import assert_type

from peerloom import (
    ConnectionInfo,
    Dial,
    DialFailed,
    KeyPair,
    Lagged,
    ListeningOn,
    Multiaddr,
    NetworkClient,
    NetworkConfig,
    Node,
    PeerConnected,
    PeerDisconnected,
    PeerId,
    PerfResult,
    Ping,
    PublicKey,
    Stream,
    Subscription,
    load_config,
)
from peerloom_stream import FramedStream, Message, MessageJsonCodec, Streams


async def application() -> None:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], identity=KeyPair.generate())
    assert_type(config.listen, tuple[Multiaddr, ...])
    assert_type(load_config(None, {}, {}, ()), NetworkConfig)
    async with Node(config) as node:
        assert_type(node, Node)
        assert_type(node.addresses, tuple[Multiaddr, ...])
        assert_type(node.peer_id, PeerId)
        assert_type(node.identity.public_key, PublicKey)
        await verbs(node.client, node.peer_id)
        await listen(node.client)
        await talk(node.client, node.peer_id)


async def verbs(client: NetworkClient, peer: PeerId) -> None:
    try:
        connection = await client.dial(peer)
    except DialFailed as error:
        assert_type(error.attempts, tuple[tuple[Multiaddr, BaseException], ...])
        return
    assert_type(connection, ConnectionInfo)
    assert_type(connection.remote_address.value_for_protocol("tcp"), str | None)
    assert_type(str(connection.remote_address.encapsulate(f"/p2p/{peer}")), str)
    assert_type(await client.call(Dial(peer)), ConnectionInfo)
    assert_type(await client.call(Ping(peer)), float)
    assert_type(await client.listen_on("/ip4/127.0.0.1/tcp/0"), int)
    assert_type(await client.connections(), tuple[ConnectionInfo, ...])
    assert_type(await client.peers(), tuple[PeerId, ...])
    assert_type(await client.ping(peer), float)
    assert_type(await client.perf(peer, 1, 1), PerfResult)
    assert_type(await client.find_peer(peer), tuple[Multiaddr, ...])
    assert_type(await client.open_stream(peer, "/echo/1"), Stream)
    assert_type(await client.disconnect(peer), int)


async def listen(client: NetworkClient) -> None:
    assert_type(client.events(ListeningOn), Subscription[ListeningOn])
    async with client.events(PeerConnected, PeerDisconnected) as events:
        async for event in events:
            assert_type(event, PeerConnected | PeerDisconnected | Lagged)
            if isinstance(event, PeerDisconnected):
                assert_type(event.peer, PeerId)


async def talk(client: NetworkClient, peer: PeerId) -> None:
    streams = Streams(client)
    async with await streams.open(peer, "/chat/1", codec=MessageJsonCodec()) as stream:
        assert_type(stream, FramedStream)
        assert_type(await stream.receive(), Message)
        assert_type((await stream.receive()).data, bytes)
    async with streams.accept("/chat/1") as callers:
        async for caller in callers:
            assert_type(caller, FramedStream)
    async with streams.accept_bytes("/bulk/1") as senders:
        async for sender in senders:
            assert_type(sender, Stream)
            assert_type(await sender.receive(), bytes)
