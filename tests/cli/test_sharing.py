"""Which of a node's addresses a command tells people."""

from __future__ import annotations

from peerloom import NetworkConfig, Node
from peerloom.cli import addresses_to_tell

LOOPBACK = ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
EXTERNAL = (
    "/ip4/192.0.2.7/tcp/4001",
    "/dns4/there.example/tcp/4001",
    "/ip4/192.0.2.7/udp/4001/quic-v1",
)


async def test_each_host_is_told_once_and_loopback_only_if_there_is_no_other() -> None:
    config = NetworkConfig(listen=LOOPBACK, external_addresses=EXTERNAL, strict=True)
    async with Node(config) as node:
        told = [str(address) for address in addresses_to_tell(node)]
    assert told == [f"{address}/p2p/{node.peer_id}" for address in EXTERNAL[:2]]


async def test_a_node_on_loopback_alone_tells_one_address() -> None:
    async with Node(NetworkConfig(listen=LOOPBACK, strict=True)) as node:
        assert addresses_to_tell(node) == node.addresses[:1]
