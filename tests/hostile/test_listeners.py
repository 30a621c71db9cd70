"""Floods of connections, taken ports, exhausted file descriptors, and the end of a node."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom import (
    ListenerFailed,
    ListenFailed,
    NetworkConfig,
    Node,
    PeerDisconnected,
)
from peerloom._addresses import tcp_endpoint
from tests.core.nodes import Serving
from tests.hostile.attacks import attack
from tests.hostile.foe import Dialler, link_to, wire_to
from tests.hostile.siege import measured, open_files, own_time, siege
from tests.hostile.ways import TCP_TLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from peerloom import Stream
    from tests.hostile.ways import Way

SHUTDOWN_SECONDS = 2.5  # two, and what there is to do then


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_py_audit_2_ten_thousand_connections_one_after_another_and_then_a_good_one(
    way: Way,
) -> None:
    """py-libp2p is deaf after 250."""
    async with siege(way) as scene:
        files = open_files()
        async with measured(scene):
            await attack("come_and_go", scene.address, security=way.security[0], count=10_000)
        await scene.wait_for("all are gone", lambda swarm: swarm["connections"] == 1, 60)
        assert open_files() <= files + 4
        async with link_to(scene.address, way.security):
            await scene.wait_for("one more", lambda swarm: swarm["connections"] == 2)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_py_audit_2_ten_thousand_bad_handshakes_and_then_a_good_one(raw_way: Way) -> None:
    async with siege(raw_way) as scene:
        files = open_files()
        async with measured(scene):
            await attack("bad_handshakes", scene.address, count=10_000)
        await scene.wait_for("settled", lambda swarm: swarm["pending_in"] == 0, 60)
        assert open_files() <= files + 4
        async with link_to(scene.address, raw_way.security):
            swarm = await scene.wait_for("one more", lambda swarm: swarm["connections"] == 2)
        assert swarm["failed_accepts"] >= 9_000


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_thousand_connections_are_closed_within_two_seconds(way: Way) -> None:
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    config = NetworkConfig(listen=[way.listen], security=way.security, keep_alive_seconds=600)
    async with (
        Node(config) as node,
        held("hold_connections", node, count=1000, peers=125) as process,
    ):
        with anyio.fail_after(90):
            while len(await node.client.connections()) < 1000:
                assert process.poll() is None, "the attacker has given up"
                await anyio.sleep(0.1)
        began = own_time()
        await node._swarm.close()
        assert own_time() - began <= SHUTDOWN_SECONDS


async def test_a_taken_port_is_told_and_the_node_listens_elsewhere() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        with pytest.raises(ListenFailed, match="in use"):
            async with Node(NetworkConfig(listen=[address])):
                pass
        async with Node(NetworkConfig(listen=[address, TCP_TLS.listen])) as node:
            assert len(node.addresses) == 1


async def test_two_nodes_cannot_share_a_port(way: Way) -> None:
    async with siege(way) as scene:
        address = str(scene.node.addresses[0]).partition("/p2p")[0]
        with pytest.raises(ListenFailed, match="in use"):
            async with Node(NetworkConfig(listen=[address], security=way.security)):
                pass


async def test_exhausted_file_descriptors_are_told_and_overcome() -> None:
    async with (
        siege(TCP_TLS) as scene,
        scene.node.client.events(ListenerFailed) as failures,
    ):
        with no_more_files():
            knocking = [_connecting(scene.address) for _ in range(1)]
            with anyio.fail_after(10):
                failure = await anext(failures)
            assert isinstance(failure.cause, OSError)
        for sock in knocking:
            sock.close()
        with anyio.fail_after(10):
            async with link_to(scene.address, TCP_TLS.security):
                await scene.wait_for("it accepts again", lambda swarm: swarm["connections"] == 2)


def _connecting(address: Any) -> socket.socket:
    endpoint = tcp_endpoint(address)
    assert endpoint is not None
    spare = SPARE.pop()
    spare.setblocking(False)  # noqa: FBT003
    with suppress(BlockingIOError):
        spare.connect(endpoint[1:])
    return spare


SPARE: list[socket.socket] = []


@contextmanager
def no_more_files() -> Generator[None]:
    """All file descriptors of this process are in use, save one for whoever knocks."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    SPARE.append(socket.socket())
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    try:
        yield
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_connection_that_is_reset_in_the_backlog_does_not_end_the_listener() -> None:
    async with siege(TCP_TLS) as scene:
        endpoint = tcp_endpoint(scene.address)
        assert endpoint is not None
        for _ in range(200):
            with socket.create_connection(endpoint[1:]) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        async with link_to(scene.address, TCP_TLS.security):
            await scene.wait_for("it accepts", lambda swarm: swarm["connections"] == 2)


class TestShutdown:
    """Within 2 s, whatever the peers do."""

    async def test_while_peers_are_stopped_and_buffers_are_full(self, way: Way) -> None:
        flooding = anyio.Event()

        async def pour(stream: Stream) -> None:
            flooding.set()
            while True:
                await stream.send(bytes(1 << 20))

        config = NetworkConfig(listen=[way.listen], security=way.security)
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(Node(config, plugins=[Serving(pour=pour)]))
            async with held("take_without_reading", node, protocol="/pour/1") as process:
                with anyio.fail_after(20):
                    await flooding.wait()
                await anyio.sleep(0.3)  # until the buffers are full
                os.kill(process.pid, signal.SIGSTOP)
                began = own_time()
                await stack.aclose()
                assert own_time() - began <= SHUTDOWN_SECONDS
                os.kill(process.pid, signal.SIGCONT)

    async def test_while_handshakes_and_dials_are_under_way(self) -> None:
        async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
            node = await stack.enter_async_context(Node(NetworkConfig(listen=[TCP_TLS.listen])))
            async with wire_to(node.addresses[0]):
                tasks.start_soon(_dial_in_vain, node)
                await anyio.sleep(0.2)
                began = own_time()
                await stack.aclose()
                assert own_time() - began <= 1.0

    async def test_every_connection_is_told_to_have_ended(self, way: Way) -> None:
        config = NetworkConfig(listen=[way.listen], security=way.security)
        async with anyio.create_task_group() as tasks, Node(config) as node:
            dialler = Dialler(tasks, way.security)
            links = [await dialler.dial(node.addresses[0]) for _ in range(5)]
            with anyio.fail_after(10):
                while len(await node.client.connections()) < 5:  # noqa: ASYNC110
                    await anyio.sleep(0.02)
            async with node.client.events(PeerDisconnected) as ends:
                await node._swarm.close()
                with anyio.fail_after(5):
                    seen = [await anext(ends) for _ in links]
            assert all(each.intended for each in seen)
            for link in links:
                await link.aclose()


async def _dial_in_vain(node: Node) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Exception):  # noqa: B017, PT011 - the node stops meanwhile
            await node.client.dial(f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}")


async def test_a_stopped_peer_is_noticed_and_let_go(way: Way) -> None:
    """SIGSTOP: the kernel answers for it, so only a missing pong tells."""
    ping = {"interval_seconds": 0.2, "timeout_seconds": 0.5, "max_failures": 2}
    async with (
        siege(way, ping=ping) as scene,
        scene.node.client.events(PeerDisconnected) as ends,
        held("hold_connections", scene.node, count=1, peers=1) as process,
    ):
        await scene.wait_for("it is there", lambda swarm: swarm["connections"] == 2)
        os.kill(process.pid, signal.SIGSTOP)
        with anyio.fail_after(15):
            event = await anext(ends)
        assert "pings in a row" in event.cause
        assert not event.intended
        os.kill(process.pid, signal.SIGCONT)


async def test_a_killed_peer_is_noticed_at_once(raw_way: Way) -> None:
    """The kernel says so for TCP; for QUIC nobody does, and it is as with one that is stopped."""
    async with (
        siege(raw_way) as scene,
        scene.node.client.events(PeerDisconnected) as ends,
        held("hold_connections", scene.node, count=1, peers=1) as process,
    ):
        await scene.wait_for("it is there", lambda swarm: swarm["connections"] == 2)
        process.kill()
        with anyio.fail_after(5):
            assert not (await anext(ends)).intended


@asynccontextmanager
async def held(name: str, node: Node, **options: Any) -> AsyncGenerator[subprocess.Popen[bytes]]:
    """An attack of another process that lasts until it is killed."""
    process = subprocess.Popen(  # noqa: ASYNC220 - it is only started
        [
            sys.executable,
            "-m",
            "tests.hostile.attacks",
            name,
            str(node.addresses[0]),
            *(f"{key}={value}" for key, value in options.items()),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
