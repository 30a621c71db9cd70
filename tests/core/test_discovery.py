"""Discovery in running nodes: boot nodes, peers of an earlier run, protected peers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import Node
from peerloom._config import NetworkConfig
from peerloom._errors import DataFolderInUse
from peerloom._events import PeerConnected
from peerloom._shared_events import ReachabilityChanged
from tests.core.nodes import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from peerloom._peer_id import PeerId


@asynccontextmanager
async def listening(**settings: object) -> AsyncGenerator[Node]:
    config = NetworkConfig(listen=[LOOPBACK], strict=True, **settings)  # type: ignore[arg-type]
    async with Node(config) as node:
        yield node


async def connected(node: Node, peer: PeerId) -> None:
    """Return once the node is connected to the peer."""
    with anyio.fail_after(20):
        async with node.client.events(PeerConnected) as events:
            if await node.client.connections(peer):
                return
            async for event in events:
                if isinstance(event, PeerConnected) and event.peer == peer:
                    return


async def test_node_connects_to_its_boot_node() -> None:
    async with (
        listening() as boot,
        listening(bootstrap=boot.addresses) as node,
    ):
        await connected(node, boot.peer_id)


async def test_node_finds_back_to_the_peers_of_an_earlier_run(tmp_path: Path) -> None:
    async with listening() as other:
        async with listening(data_folder=tmp_path) as node:
            first_id = node.peer_id
            await node.client.dial(other.addresses[0])
        async with listening(data_folder=tmp_path) as node:
            assert node.peer_id == first_id
            await connected(node, other.peer_id)


async def test_protected_peer_is_dialled_again_when_it_is_lost() -> None:
    async with listening() as other, listening() as node:
        await node.client.add_peer_addresses(other.peer_id, other.addresses)
        await node.client.protect(other.peer_id)
        await connected(node, other.peer_id)
        (first,) = await node.client.connections(other.peer_id)
        async with node.client.events(PeerConnected) as events:
            await other.client.disconnect(node.peer_id)
            with anyio.fail_after(20):
                async for event in events:
                    assert isinstance(event, PeerConnected)
                    assert event.connection.id != first.id
                    break


async def test_reachability_follows_external_addresses() -> None:
    async with listening() as node, node.client.events(ReachabilityChanged) as events:
        await node.client.add_external_address("/ip4/192.0.2.1/tcp/2428")
        with anyio.fail_after(20):
            async for event in events:
                if isinstance(event, ReachabilityChanged) and event.public:
                    break


async def test_two_nodes_never_share_a_data_folder(tmp_path: Path) -> None:
    async with listening(data_folder=tmp_path):
        with pytest.raises(DataFolderInUse, match="in use by process"):
            async with listening(data_folder=tmp_path):
                pass
