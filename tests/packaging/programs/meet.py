"""Two nodes meet by every transport: ``python meet.py BACKEND``; prints the plugins they have."""

import sys

import anyio

from peerloom import NetworkConfig, Node

LISTEN = ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")


async def main() -> None:
    async with Node(NetworkConfig(listen=LISTEN)) as ann:
        for address in ann.addresses:
            async with Node() as ben:
                await ben.client.dial(address)
                await ben.client.ping(ann.peer_id)
        print(len(ann.addresses), *(await ann.client.status())["plugins"])


anyio.run(main, backend=sys.argv[1])
