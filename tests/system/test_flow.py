"""The flow that the design promises: each test is a row of its table, with real nodes."""

from __future__ import annotations

import anyio

from peerloom import (
    ExternalAddressConfirmed,
    IdentifyReceived,
    Lagged,
    ListeningOn,
    NetworkConfig,
    Node,
    PeerConnected,
    PeerDisconnected,
    PeerRoles,
    Stream,
)
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl
from tests.core.nodes import LOOPBACK, heard

LISTENING = NetworkConfig(listen=[LOOPBACK], strict=True)


async def test_node_starts_listens_everywhere_and_dials_its_boot_nodes() -> None:
    async with Node(LISTENING) as boot, boot.client.events(PeerConnected) as arrivals:
        both = ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"]
        config = NetworkConfig(listen=both, bootstrap=boot.addresses, strict=True)
        async with Node(config) as node:
            assert len(node.addresses) == 2
            with anyio.fail_after(20):
                assert (await heard(arrivals, PeerConnected)).peer == node.peer_id


async def test_connection_established_puts_the_dialled_address_into_the_address_book() -> None:
    async with Node(LISTENING) as serving, Node(NetworkConfig(strict=True)) as asking:
        await asking.client.dial(serving.addresses[0])
        await asking.client.disconnect(serving.peer_id)
        assert (await asking.client.dial(serving.peer_id)).peer == serving.peer_id


async def test_connection_from_an_ephemeral_port_is_not_dialled_back() -> None:
    async with Node(LISTENING) as serving, Node(NetworkConfig(strict=True)) as asking:
        await asking.client.dial(serving.addresses[0])
        known = (await serving.client.status())["plugins"]["discovery"]["report"]
        assert known["connected"][str(asking.peer_id)]["addresses"] == []


class Pretends:
    """Claims to be a relay and a rendezvous point."""

    info = PluginInfo("pretends")

    @hookimpl
    def peerloom_behaviours(self, ctx) -> list[Behaviour]:
        async def serve(stream: Stream) -> None:
            await stream.aclose()

        behaviour = Behaviour()
        behaviour.protocols = {
            "/libp2p/circuit/relay/0.2.0/hop": InboundProtocol(serve),
            "/rendezvous/1.0.0": InboundProtocol(serve),
        }
        return [behaviour]


async def test_identify_received_records_protocols_and_roles() -> None:
    serving = Node(LISTENING, plugins=[Pretends()])
    asking = Node(NetworkConfig(strict=True))
    async with (
        serving,
        asking,
        asking.client.events(IdentifyReceived) as identified,
        asking.client.events(PeerRoles) as roles,
    ):
        await asking.client.dial(serving.addresses[0])
        with anyio.fail_after(20):
            event = await heard(identified, IdentifyReceived)
            assert "/rendezvous/1.0.0" in event.protocols
            assert (await heard(roles, PeerRoles)).roles >= {"relay", "rendezvous"}


async def test_listening_on_an_address_is_told_to_the_application() -> None:
    async with Node(NetworkConfig(strict=True)) as node, node.client.events(ListeningOn) as events:
        number = await node.client.listen_on(LOOPBACK)
        event = await heard(events, ListeningOn)
        assert event.listener_id == number
        assert str(node.addresses[0]).startswith(str(event.address))


async def test_external_address_confirmed_by_hand_is_told() -> None:
    async with Node() as node, node.client.events(ExternalAddressConfirmed) as events:
        await node.client.add_external_address("/ip4/203.0.113.7/tcp/2428")
        event = await heard(events, ExternalAddressConfirmed)
        assert str(event.address) == "/ip4/203.0.113.7/tcp/2428"


async def test_peer_that_stops_answering_is_closed_by_the_watchdog_and_redialled() -> None:
    quick = {"ping": {"interval_seconds": 0.2, "timeout_seconds": 0.2}}
    async with Node(LISTENING) as serving:
        asking = Node(NetworkConfig(settings=quick, strict=True))
        async with asking, asking.client.events(PeerConnected, PeerDisconnected) as events:
            await asking.client.dial(serving.addresses[0])
            await asking.client.protect(serving.peer_id)
            first = await heard(events, PeerConnected)
            serving._swarm.withdraw("ping")
            serving._swarm.install("ping", [Silent()], [])
            with anyio.fail_after(30):
                gone = await heard(events, PeerDisconnected)
                assert "ping" in gone.cause
                assert not gone.intended
                again = await heard(events, PeerConnected)
            assert again.connection.id != first.connection.id


class Silent(Behaviour):
    """Accepts pings and never answers them."""

    def __init__(self) -> None:
        self.protocols = {"/ipfs/ping/1.0.0": InboundProtocol(self._wait, holds_connection=False)}

    async def _wait(self, stream: Stream) -> None:
        async for _ in stream:
            pass


async def test_a_subscriber_that_sleeps_is_told_how_much_it_missed() -> None:
    async with Node() as node, node.client.events(ExternalAddressConfirmed) as events:
        for port in range(1, 1201):
            await node.client.add_external_address(f"/ip4/203.0.113.7/tcp/{port}")
        await node.client.status()  # by now all of them have been told
        assert await anext(events) == Lagged(1200 - 1024)
        rest = [await heard(events, ExternalAddressConfirmed) for _ in range(1024)]
        assert str(rest[-1].address).endswith("/1024")
