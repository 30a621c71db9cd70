"""The QUIC transport: sockets, addresses, handshakes, and what strangers send."""

from __future__ import annotations

import socket
import sys

import anyio
import anyio.lowlevel
import pytest
from multiaddr import Multiaddr

from peerloom import NetworkConfig, Node
from peerloom._addresses import components
from peerloom._errors import HandshakeFailed, LinkClosed, ListenFailed, WrongPeerId
from peerloom._events import IncomingConnectionFailed
from peerloom._links import DialOptions
from peerloom._transports import QuicSettings, QuicTransport
from peerloom._transports._quic_credentials import Credentials

from .certificate_kit import bad_recipes, build
from .quic_kit import ANY_PORT, ENGINES, PAIRS, connect, echo, engines, linked, transports, until
from .security_kit import ALICE, BOB, MALLORY, RUNTIME

BAD = bad_recipes()


def udp_port(address: Multiaddr) -> int:
    return int(dict(components(address))["udp"])


# --- addresses and sockets -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "handled"),
    [
        ("/ip4/127.0.0.1/udp/1/quic-v1", True),
        ("/ip6/::1/udp/1/quic-v1", True),
        (f"/ip4/127.0.0.1/udp/1/quic-v1/p2p/{BOB.peer_id}", True),
        ("/ip4/127.0.0.1/udp/1/quic", False),
        ("/ip4/127.0.0.1/udp/1", False),
        ("/ip4/127.0.0.1/tcp/1", False),
        ("/dns4/localhost/udp/1/quic-v1", False),
        (f"/ip4/127.0.0.1/udp/1/quic-v1/p2p/{BOB.peer_id}/p2p-circuit", False),
    ],
)
async def test_it_handles_quic_addresses_only(address: str, *, handled: bool) -> None:
    async with transports() as (transport, _):
        assert transport.handles(Multiaddr(address)) is handled


async def test_a_taken_port_is_refused_at_once() -> None:
    async with transports() as (one, other), one.listen(ANY_PORT) as listener:
        with pytest.raises(ListenFailed, match="in use"):
            async with other.listen(listener.addresses[0]):
                pass


async def test_a_port_can_be_listened_on_again() -> None:
    async with transports() as (transport, _):
        async with transport.listen(ANY_PORT) as listener:
            address = listener.addresses[0]
        async with transport.listen(address) as listener:
            assert list(listener.addresses) == [address]


async def test_a_wildcard_listens_on_the_addresses_of_the_interfaces() -> None:
    async with (
        transports() as (dialing, listening),
        listening.listen(Multiaddr("/ip4/0.0.0.0/udp/0/quic-v1")) as listener,
    ):
        texts = [str(address) for address in listener.addresses]
        assert any(text.startswith("/ip4/127.0.0.1/udp/") for text in texts)
        assert not any("0.0.0.0" in text for text in texts)
        _, accepter = await connect(dialing, listener)
        assert str(accepter.local_address).startswith("/ip4/127.0.0.1/")


async def test_dials_leave_from_the_listening_socket() -> None:
    async with (
        transports() as (dialing, listening),
        dialing.listen(ANY_PORT) as own,
        listening.listen(ANY_PORT) as listener,
    ):
        for _ in range(2):
            link, accepter = await connect(dialing, listener)
            assert link.local_address == accepter.remote_address == own.addresses[0]


async def test_a_dial_that_shall_not_leave_from_there_does_not() -> None:
    async with (
        transports() as (dialing, listening),
        dialing.listen(ANY_PORT) as own,
        listening.listen(ANY_PORT) as listener,
    ):
        link = await dialing.dial(listener.addresses[0], DialOptions(reuse_port=False))
        assert udp_port(link.local_address) != udp_port(own.addresses[0])


async def test_dials_of_a_node_that_does_not_listen_share_a_socket() -> None:
    async with transports() as (dialing, listening), listening.listen(ANY_PORT) as listener:
        one, _ = await connect(dialing, listener)
        other, _ = await connect(dialing, listener)
        assert one.local_address == other.local_address


async def test_connections_outlive_their_listener() -> None:
    async with transports() as (dialing, listening), anyio.create_task_group() as tasks:
        async with listening.listen(ANY_PORT) as listener:
            dialer, accepter = await connect(dialing, listener)
        stream = await dialer.open_stream()
        await stream.send(b"still here")
        with anyio.fail_after(5):
            tasks.start_soon(echo, await accepter.accept_stream())
            assert await stream.receive() == b"still here"
        with anyio.move_on_after(0.1), pytest.raises(LinkClosed):
            await dialing.dial(listener.addresses[0], DialOptions())
        tasks.cancel_scope.cancel()


async def test_closing_a_listener_ends_a_waiting_accept() -> None:
    async def accept(listener) -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await listener.accept()

    async with (
        transports() as (transport, _),
        anyio.create_task_group() as tasks,
        transport.listen(ANY_PORT) as listener,
    ):
        tasks.start_soon(accept, listener)
        await anyio.wait_all_tasks_blocked()


async def test_sockets_and_tasks_end_with_the_last_connection() -> None:
    async with anyio.create_task_group() as tasks:
        settings = QuicSettings(close_timeout_seconds=0.1)
        made = [
            QuicTransport(identity, RUNTIME, tasks.start_soon, settings, engines("qh3", identity))
            for identity in (ALICE, BOB)
        ]
        async with made[1].listen(ANY_PORT) as listener:
            dialer, accepter = await connect(made[0], listener)
            [own] = made[0]._dialing.values()
            endpoints = [own, listener._endpoint]
            await dialer.aclose()
            await until(lambda: accepter.over)
        await until(lambda: all(each.closed for each in endpoints))
    # The group has ended: no task was left.


async def test_a_cancelled_dial_leaves_nothing() -> None:
    async with transports(close_timeout_seconds=0.1) as (dialing, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            address = Multiaddr(f"/ip4/127.0.0.1/udp/{silent.getsockname()[1]}/quic-v1")
            with anyio.move_on_after(0.1) as scope:
                await dialing.dial(address, DialOptions())
            assert scope.cancelled_caught
        [endpoint] = dialing._dialing.values()
        await until(lambda: endpoint.closed)


@pytest.mark.parametrize("host", ["ip4/127.0.0.1", "ip6/::1"])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of refusals")
async def test_a_dial_to_where_nobody_listens_is_refused_at_once(host: str) -> None:
    family = socket.AF_INET if "ip4" in host else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as taken:
        taken.bind((host.partition("/")[2], 0))
        address = Multiaddr(f"/{host}/udp/{taken.getsockname()[1]}/quic-v1")
    async with transports() as (dialing, _):
        with anyio.fail_after(2), pytest.raises(ConnectionRefusedError):
            await dialing.dial(address, DialOptions())


async def test_a_refused_dial_does_not_disturb_connections_of_the_same_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Multiaddr(f"/ip4/127.0.0.1/udp/{taken.getsockname()[1]}/quic-v1")
    async with linked() as ends, anyio.create_task_group() as tasks:
        here, there = await ends.stream()
        tasks.start_soon(echo, there)
        for _ in range(20):
            with pytest.raises(ConnectionRefusedError):
                await ends.dialing.dial(nobody, DialOptions())
            await here.send(b"undisturbed")
            with anyio.fail_after(5):
                assert await here.receive() == b"undisturbed"
        tasks.cancel_scope.cancel()


# --- handshakes ----------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_a_wrong_peer_is_refused_and_named(pair) -> None:
    async with transports(pair) as (dialing, listening), listening.listen(ANY_PORT) as listener:
        with anyio.fail_after(5), pytest.raises(WrongPeerId) as caught:
            await dialing.dial(listener.addresses[0], DialOptions(expected=MALLORY.peer_id))
        assert (caught.value.expected, caught.value.actual) == (MALLORY.peer_id, BOB.peer_id)
        with anyio.fail_after(5), pytest.raises(HandshakeFailed, match="bad certificate"):
            await (await listener.accept()).complete()


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_a_dialler_without_a_certificate_is_refused(pair) -> None:
    dialing = engines(pair[0], ALICE)
    dialing.dial = lambda remote, expected, now: dialing.dial_anonymously(remote, now)
    async with transports(pair) as (other, listening), listening.listen(ANY_PORT) as listener:
        other._engines = dialing
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(expect_refusal, other, listener, "certificate required")
                with pytest.raises(HandshakeFailed, match=r"certificate required.*no certificate"):
                    await (await listener.accept()).complete()


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("library", ENGINES)
async def test_a_bad_certificate_of_a_dialler_is_refused(name: str, library: str) -> None:
    recipe, reason = BAD[name]
    async with transports((library, library)) as (dialing, listening):
        show(dialing, recipe, library)
        async with listening.listen(ANY_PORT) as listener, anyio.create_task_group() as tasks:
            with anyio.fail_after(5):
                tasks.start_soon(expect_refusal, dialing, listener, "refused the handshake")
                pending = await listener.accept()
                with pytest.raises(HandshakeFailed) as caught:
                    await pending.complete()
        assert reason in str(caught.value) or "decrypt" in str(caught.value)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("library", ENGINES)
async def test_a_bad_certificate_of_a_listener_is_refused(name: str, library: str) -> None:
    recipe, reason = BAD[name]
    async with transports((library, library)) as (dialing, listening):
        show(listening, recipe, library)
        async with listening.listen(ANY_PORT) as listener:
            with anyio.fail_after(5), pytest.raises(HandshakeFailed) as caught:
                await dialing.dial(listener.addresses[0], DialOptions())
        assert reason in str(caught.value) or "decrypt" in str(caught.value)


async def expect_refusal(dialing, listener, reason: str) -> None:
    with pytest.raises((HandshakeFailed, LinkClosed), match=reason):
        await dial_and_run(dialing, listener)


async def dial_and_run(dialing, listener) -> None:
    await (await dialing.dial(listener.addresses[0], DialOptions())).run()


def show(transport, recipe, library: str) -> None:
    credentials = Credentials(build(recipe), recipe.key, RUNTIME)
    transport._engines = ENGINES[library](credentials, QuicSettings())


async def test_a_refused_connection_says_so() -> None:
    async with transports() as (dialing, listening), listening.listen(ANY_PORT) as listener:

        async def refuse() -> None:
            await (await listener.accept()).aclose()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refuse)
            with anyio.fail_after(5), pytest.raises((LinkClosed, HandshakeFailed)):
                await dial_and_run(dialing, listener)


async def test_a_handshake_that_others_do_not_finish_ends_in_time() -> None:
    async with (
        transports(handshake_seconds=0.2) as (_, listening),
        listening.listen(ANY_PORT) as listener,
    ):
        first = engines("qh3", ALICE).dial(("127.0.0.1", 1), None, 0.0).datagrams_to_send(0.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(first[0][0], ("127.0.0.1", udp_port(listener.addresses[0])))
            with anyio.fail_after(5), pytest.raises(HandshakeFailed, match="no handshake within"):
                await (await listener.accept()).complete()


async def test_handshakes_that_fail_leave_nothing_behind() -> None:
    async with (
        transports(close_timeout_seconds=0.05) as (dialing, listening),
        listening.listen(ANY_PORT) as listener,
    ):
        for _ in range(50):
            with anyio.fail_after(5), pytest.raises(WrongPeerId):
                await dialing.dial(listener.addresses[0], DialOptions(expected=MALLORY.peer_id))
            with pytest.raises(HandshakeFailed):
                await (await listener.accept()).complete()
        endpoint = listener._endpoint
        await until(lambda: not endpoint._links)
        assert not endpoint._by_id
        assert not endpoint._half_open
        assert not endpoint._timers._links
        assert not endpoint._timers._entries
        assert len(endpoint._timers) < 100


# --- strangers -----------------------------------------------------------------------------


@pytest.mark.parametrize("library", ENGINES)
async def test_many_half_open_handshakes_make_others_prove_their_address(library: str) -> None:
    async with (
        transports((library, library), retry_half_open=4, max_half_open=8) as (
            dialing,
            listening,
        ),
        listening.listen(ANY_PORT) as listener,
    ):
        target = ("127.0.0.1", udp_port(listener.addresses[0]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(40):
                engine = engines(library, ALICE).dial(target, None, 0.0)
                for data, _ in engine.datagrams_to_send(0.0):
                    stranger.sendto(data, target)
            endpoint = listener._endpoint
            await until(lambda: endpoint.counters["retries"] >= 36)
            assert len(endpoint._half_open) == 4
            with anyio.fail_after(5):
                link = await dialing.dial(listener.addresses[0], DialOptions())
            assert link.peer == BOB.peer_id


async def test_no_more_than_so_many_handshakes_are_half_open() -> None:
    async with (
        transports(retry_half_open=1000, max_half_open=8) as (_, listening),
        listening.listen(ANY_PORT) as listener,
    ):
        target = ("127.0.0.1", udp_port(listener.addresses[0]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(20):
                engine = engines("qh3", ALICE).dial(target, None, 0.0)
                for data, _ in engine.datagrams_to_send(0.0):
                    stranger.sendto(data, target)
            endpoint = listener._endpoint
            await until(lambda: endpoint.counters["half_open_refused"] >= 12)
            assert len(endpoint._half_open) == 8


async def test_an_unknown_version_is_answered_with_ours() -> None:
    async with transports() as (_, listening), listening.listen(ANY_PORT) as listener:
        target = ("127.0.0.1", udp_port(listener.addresses[0]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(0)
            asked = b"\xc0\x1a\x2a\x3a\x4a\x08destinat\x04sour".ljust(1200, b"\0")
            stranger.sendto(asked, target)
            with anyio.fail_after(5):
                await anyio.wait_readable(stranger)
            answer = stranger.recv(2000)
        assert answer[1:] == b"\0\0\0\0\x04sour\x08destinat\0\0\0\x01"


# --- nodes ---------------------------------------------------------------------------------


async def test_nodes_meet_over_quic_and_say_so() -> None:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/udp/0/quic-v1"], strict=True)
    async with Node(config) as one, Node(config) as other:
        connection = await other.client.dial(one.addresses[0])
        assert connection.peer == one.peer_id
        assert (connection.security, connection.muxer) == (None, None)
        assert await other.client.ping(one.peer_id) > 0
        status = await one.client.status()
        assert status["plugins"]["swarm"]["report"]["quic"]["engine"].startswith("qh3 ")


async def test_quic_is_dialled_before_tcp() -> None:
    listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]
    async with Node(NetworkConfig(listen=listen, strict=True)) as one, Node() as other:
        bare = [str(address).rpartition("/p2p/")[0] for address in one.addresses]
        await other.client.add_peer_addresses(one.peer_id, bare)
        connection = await other.client.dial(one.peer_id)
        assert "quic-v1" in str(connection.remote_address)


async def test_a_node_tells_of_handshakes_that_fail() -> None:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/udp/0/quic-v1"], strict=True)
    async with (
        Node(config) as node,
        node.client.events(IncomingConnectionFailed) as events,
        transports() as (dialing, _),
    ):
        bare = Multiaddr(str(node.addresses[0]).rpartition("/p2p/")[0])
        with pytest.raises(WrongPeerId):
            await dialing.dial(bare, DialOptions(expected=MALLORY.peer_id))
        with anyio.fail_after(5):
            async for event in events:
                assert isinstance(event, IncomingConnectionFailed)
                assert isinstance(event.cause, HandshakeFailed)
                break
        assert (await node.client.status())["plugins"]["swarm"]["report"]["pending_in"] == 0
