"""Others that misbehave while they are dialled, and dials that are given up."""

from __future__ import annotations

import random
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from multiaddr import Multiaddr

from peerloom import DialFailed, NetworkConfig, Node, PeerConnected
from peerloom._addresses import with_peer
from peerloom._libp2p import KeyPair
from peerloom.plugin import PluginInfo, hookimpl
from tests.hostile.foe import HEADER, host, line, saying
from tests.hostile.siege import measured, open_files, siege
from tests.hostile.ways import QUIC, TCP_TLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tests.hostile.ways import Way

STRANGER = KeyPair.from_seed(b"s" * 32).peer_id
GARBAGE = random.Random(5).randbytes(2000)


ANSWERS = {
    "random bytes": saying(GARBAGE),
    "an HTTP answer": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a name that is not UTF-8": saying(HEADER, line(b"\xff\xfe/1")),
    "another protocol than proposed": saying(HEADER, line("/plaintext/2.0.0")),
    "na without end": saying(HEADER, line("na") * 5000),
    "garbage for a handshake": saying(HEADER, line("/tls/1.0.0"), GARBAGE),
    "an end at once": saying(),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_nonsense_fails_that_address_and_is_listed(answer: str) -> None:
    async with siege(TCP_TLS) as scene, host(ANSWERS[answer]) as address:
        if answer == "an end at once":
            address = await _closed(address)  # noqa: PLW2901
        with anyio.fail_after(8), pytest.raises(DialFailed) as failed:
            await scene.node.client.dial(STRANGER, [address])
        assert [tried for tried, _ in failed.value.attempts] == [address]


async def _closed(address: Multiaddr) -> Multiaddr:
    async with host(saying()) as other:
        return other


async def test_nim_2929_and_py_audit_3_who_says_nothing_when_dialled_is_given_up(
    hurried: str,
) -> None:
    """py-libp2p hung for 120 s; at each of the dialler's waits here, all at once."""
    silent = [
        saying(then_wait=True),
        saying(HEADER, then_wait=True),
        saying(HEADER[:6], then_wait=True),
        saying(HEADER + line("/tls/1.0.0"), then_wait=True),
        saying(HEADER + line("/tls/1.0.0") + b"\x16\x03\x03\x10", then_wait=True),
    ]
    async with siege(TCP_TLS) as scene, measured(scene), anyio.create_task_group() as tasks:

        async def dial(serve: Any) -> None:
            async with host(serve) as address:
                with anyio.fail_after(12), pytest.raises(DialFailed) as failed:
                    await scene.node.client.dial(address)
                assert f"not secured and muxed within {hurried}" in str(failed.value)

        for serve in silent:
            tasks.start_soon(dial, serve)
        await scene.wait_for("they run", lambda swarm: swarm["pending_out"] == len(silent))


async def test_nim_2929_who_says_nothing_when_dialled_by_quic_is_given_up(hurried: str) -> None:
    async with siege(QUIC) as scene, measured(scene):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            address = f"/ip4/127.0.0.1/udp/{silent.getsockname()[1]}/quic-v1"
            with anyio.fail_after(12), pytest.raises(DialFailed, match=f"within {hurried}"):
                await scene.node.client.dial(address)
        assert sum((await scene.swarm())["failed_dials_by"].values()) == 1


async def test_a_dial_that_is_given_up_leaves_neither_slot_nor_socket() -> None:
    async with siege(TCP_TLS) as scene, host(saying()) as address:
        for delay in (0.0, 0.001, 0.01, 0.05, 0.2):
            before = open_files()
            with anyio.move_on_after(delay):
                await scene.node.client.dial(address)
            with anyio.move_on_after(delay):
                await scene.node.client.dial(STRANGER, [address])
            await scene.wait_for("given up", lambda swarm: swarm["pending_out"] == 0)
            await _settled(open_files_at_most(before))


async def test_a_dial_given_up_as_it_succeeds_leaves_a_connection_or_nothing(way: Way) -> None:
    async with (
        siege(way) as scene,
        Node(NetworkConfig(security=way.security)) as dialler,
        dialler.client.events(PeerConnected) as connected,
    ):
        for step in range(30):
            with anyio.move_on_after(step / 2000):
                await dialler.client.dial(scene.address)
            await _settled_status(dialler, lambda swarm: swarm["pending_out"] == 0)
            for connection in await dialler.client.connections():
                with anyio.fail_after(5):
                    assert (await anext(connected)).connection.id == connection.id
                await dialler.client.disconnect(connection.peer)
            await scene.wait_for("it is gone", lambda swarm: swarm["connections"] == 1)


async def test_two_sides_that_dial_each_other_at_once_are_connected(way: Way) -> None:
    for _ in range(5):
        one = Node(NetworkConfig(listen=[way.listen], security=way.security, strict=True))
        other = Node(NetworkConfig(listen=[way.listen], security=way.security, strict=True))
        async with one, other:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.client.dial, other.addresses[0])
                tasks.start_soon(other.client.dial, one.addresses[0])
            assert await one.client.ping(other.peer_id) < 5
            assert await other.client.ping(one.peer_id) < 5
            assert 1 <= len(await one.client.connections()) <= 2


async def test_py_audit_3_a_dead_address_before_a_good_one_does_not_matter(way: Way) -> None:
    """py-libp2p tries one address a transport."""
    async with siege(way) as scene, host(saying(then_wait=True)) as silent:
        good = scene.node.addresses[0]
        dead = [with_peer(each, scene.node.peer_id) for each in (silent, await _closed(silent))]
        async with Node(NetworkConfig(security=way.security)) as dialler:
            with anyio.fail_after(3):
                await dialler.client.dial(scene.node.peer_id, [*dead, good])


class Odd:
    """A plugin whose transport raises what nobody expects."""

    info = PluginInfo("odd")

    @hookimpl
    def peerloom_transports(self) -> list[Any]:
        return [OddTransport()]


class OddTransport:
    def handles(self, address: Multiaddr) -> bool:
        return str(address).startswith("/memory")

    async def dial(self, address: Multiaddr, options: Any) -> Any:
        raise KeyError("a defect")

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[Any]:
        yield OddListener()


class OddListener:
    addresses = (Multiaddr("/memory/7"),)

    async def accept(self) -> Any:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError("a defect")


async def test_a_transport_that_raises_fails_its_own_dials_and_listeners_only() -> None:
    from peerloom import ListenerClosed  # noqa: PLC0415

    config = NetworkConfig(listen=[TCP_TLS.listen])
    async with (
        Node(config, plugins=[Odd()]) as node,
        Node(NetworkConfig()) as peer,
        node.client.events(ListenerClosed) as closed,
    ):
        for target in (Multiaddr("/memory/7"), with_peer(Multiaddr("/memory/7"), STRANGER)):
            with pytest.raises(DialFailed, match="a defect"):
                await node.client.dial(target)
        await node.client.listen_on("/memory/7")
        with anyio.fail_after(5):
            assert "a defect" in str((await anext(closed)).cause)
        await peer.client.dial(node.addresses[0])
        assert await peer.client.ping(node.peer_id) < 5


class Gate:
    """A plugin whose gate, addresses and votes raise."""

    info = PluginInfo("gate")

    def __init__(self, stage: str) -> None:
        self._stage = stage

    @hookimpl
    def peerloom_gate(self, stage: str, peer: Any, address: Any) -> str | None:
        if stage == self._stage:
            raise RuntimeError("a defect of the gate")
        return None


@pytest.mark.parametrize("stage", ["accept", "connected"])
async def test_a_gate_that_raises_refuses_and_the_node_lives(stage: str, way: Way) -> None:
    config = NetworkConfig(listen=[way.listen], security=way.security)
    async with (
        Node(config, plugins=[Gate(stage)]) as node,
        Node(NetworkConfig(security=way.security)) as peer,
    ):
        with suppress(DialFailed):
            await peer.client.dial(node.addresses[0])
        await _settled_status(node, lambda swarm: swarm["failed_accepts"] == 1)


class Voter:
    """A plugin whose behaviour raises wherever it is asked."""

    info = PluginInfo("voter")

    @hookimpl
    def peerloom_behaviours(self) -> list[Any]:
        from peerloom.plugin import Behaviour  # noqa: PLC0415

        class Bad(Behaviour):
            def addresses_of(self, peer: Any) -> Any:
                raise RuntimeError("a defect of addresses_of")

            def keep_alive(self, connection: Any) -> bool:
                raise RuntimeError("a defect of keep_alive")

        return [Bad()]


async def test_a_behaviour_that_raises_costs_its_own_plugin_only(way: Way) -> None:
    config = NetworkConfig(listen=[way.listen], security=way.security)
    async with (
        Node(config, plugins=[Voter()]) as node,
        Node(NetworkConfig(security=way.security)) as peer,
    ):
        await peer.client.dial(node.addresses[0])
        node._swarm.close_idle()
        with pytest.raises(DialFailed, match="no address"):
            await node.client.dial(STRANGER)
        status = await node.client.status()
        assert status["plugins"]["voter"]["state"] != "running"
        assert status["plugins"]["swarm"]["state"] == "running"
        assert await peer.client.ping(node.peer_id) < 5


def open_files_at_most(count: int) -> Callable[[], bool]:
    return lambda: open_files() <= count


async def _settled(holds: Callable[[], bool]) -> None:
    with anyio.move_on_after(5):
        while not holds():  # noqa: ASYNC110 - the system tells nobody
            await anyio.sleep(0.01)
    assert holds()


async def _settled_status(node: Node, holds: Callable[[Any], bool]) -> None:
    with anyio.fail_after(5):
        while not holds(  # noqa: ASYNC110 - a status is asked for
            (await node.client.status())["plugins"]["swarm"]["report"]
        ):
            await anyio.sleep(0.01)
