"""TCP over loopback, and the memory transport."""

from __future__ import annotations

import socket

import anyio
import pytest
from multiaddr import Multiaddr

from peerloom import Node
from peerloom._errors import ListenFailed
from peerloom._links import DialOptions, RawLink
from peerloom._transports import MemoryNetwork, MemoryTransport, TcpTransport

ANY_PORT = Multiaddr("/ip4/127.0.0.1/tcp/0")


async def exchange(ours: RawLink, theirs: RawLink) -> None:
    await ours.stream.send(b"ping")
    assert await theirs.stream.receive() == b"ping"
    await theirs.stream.send_eof()
    with pytest.raises(anyio.EndOfStream):
        await ours.stream.receive()
    await ours.stream.aclose()
    await theirs.stream.aclose()


@pytest.mark.parametrize("address", ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"])
async def test_a_tcp_dial_reaches_the_listener(address: str) -> None:
    transport = TcpTransport()
    async with transport.listen(Multiaddr(address)) as listener:
        ours = await transport.dial(listener.addresses[0], DialOptions())
        theirs = await listener.accept()
        assert ours.remote_address == theirs.local_address == listener.addresses[0]
        await exchange(ours, theirs)


async def test_a_tcp_dial_leaves_from_the_listen_port() -> None:
    ours, theirs = TcpTransport(), TcpTransport()
    async with ours.listen(ANY_PORT) as own, theirs.listen(ANY_PORT) as listener:
        link = await ours.dial(listener.addresses[0], DialOptions())
        assert link.local_address == own.addresses[0]
        second = await ours.dial(listener.addresses[0], DialOptions())
        assert second.local_address != own.addresses[0], "the same pair of ports is taken"
        for each in (link, second):
            await each.stream.aclose()


async def test_a_tcp_dial_to_our_own_port_reaches_the_listener() -> None:
    transport = TcpTransport()
    async with transport.listen(ANY_PORT) as listener:
        ours = await transport.dial(listener.addresses[0], DialOptions())
        assert ours.local_address != ours.remote_address
        await exchange(ours, await listener.accept())


async def test_a_taken_port_is_refused_at_once() -> None:
    transport = TcpTransport()
    async with transport.listen(ANY_PORT) as listener:
        with pytest.raises(ListenFailed, match="in use"):
            async with TcpTransport().listen(listener.addresses[0]):
                pass


async def test_a_port_can_be_listened_on_again_after_its_connections_closed() -> None:
    transport = TcpTransport()
    async with transport.listen(ANY_PORT) as listener:
        address = listener.addresses[0]
        ours = await transport.dial(address, DialOptions())
        theirs = await listener.accept()
        await theirs.stream.aclose()
        await ours.stream.aclose()
    async with transport.listen(address) as listener:
        assert list(listener.addresses) == [address]


async def test_a_wildcard_listens_on_the_addresses_of_the_interfaces() -> None:
    async with TcpTransport().listen(Multiaddr("/ip4/0.0.0.0/tcp/0")) as listener:
        texts = [str(address) for address in listener.addresses]
    assert any(text.startswith("/ip4/127.0.0.1/tcp/") for text in texts)
    assert not any("0.0.0.0" in text for text in texts)


async def test_a_refused_tcp_dial_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Multiaddr(f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}")
        with pytest.raises(OSError, match="nobody listens there"):
            await TcpTransport().dial(address, DialOptions())


@pytest.mark.parametrize("address", ["/ip4/192.0.2.77/tcp/0", "/ip4/192.0.2.77/udp/0/quic-v1"])
async def test_an_address_of_another_machine_is_told_with_what_stands_for_this_one(
    address: str,
) -> None:
    async with Node() as node:
        with pytest.raises(ListenFailed, match="this machine has no such address; /ip4"):
            await node.client.listen_on(address)


async def test_closing_a_tcp_listener_ends_a_waiting_accept() -> None:
    transport = TcpTransport()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, transport.listen(ANY_PORT) as listener:

            async def accept() -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await listener.accept()

            tasks.start_soon(accept)
            await anyio.wait_all_tasks_blocked()


async def test_memory_links_carry_bytes_and_ends() -> None:
    network = MemoryNetwork()
    transport = MemoryTransport(network)
    async with transport.listen(Multiaddr("/memory/0")) as listener:
        ours = await transport.dial(listener.addresses[0], DialOptions())
        await exchange(ours, await listener.accept())


async def test_a_memory_number_is_listened_on_once() -> None:
    transport = MemoryTransport(MemoryNetwork())
    async with transport.listen(Multiaddr("/memory/7")):
        with pytest.raises(ListenFailed):
            async with transport.listen(Multiaddr("/memory/7")):
                pass
    with pytest.raises(ConnectionRefusedError):
        await transport.dial(Multiaddr("/memory/7"), DialOptions())


async def test_a_full_memory_pipe_holds_its_sender_until_it_is_read() -> None:
    transport = MemoryTransport(MemoryNetwork())
    async with transport.listen(Multiaddr("/memory/0")) as listener:
        ours = await transport.dial(listener.addresses[0], DialOptions())
        theirs = await listener.accept()
        sent = []

        async def send() -> None:
            for _ in range(20):
                await ours.stream.send(bytes(64 * 1024))
                sent.append(64 * 1024)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert sum(sent) <= 256 * 1024
            received = 0
            while received < 20 * 64 * 1024:
                received += len(await theirs.stream.receive())
        assert len(sent) == 20
