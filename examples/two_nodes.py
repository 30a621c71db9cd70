"""Two nodes meet: one listens and serves a protocol, the other dials it and speaks it.

    python examples/two_nodes.py

prints what both of them see. They run in one program here; in two, nothing would be different but
that the second has to be told the address that the first one prints.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from peerloom import (
    IdentifyReceived,
    NetworkConfig,
    Node,
    PeerConnected,
    PeerDisconnected,
    PeerloomError,
)
from peerloom_stream import Streams

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from peerloom import Multiaddr

UPPER = "/example/upper/1.0.0"


async def main() -> None:
    """Ann listens, Ben comes by."""
    ann = Node(NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"]))
    ben = Node(NetworkConfig(agent="ben/1.0"))  # listens nowhere, and can dial all the same
    async with ann, ben, anyio.create_task_group() as tasks:
        await tasks.start(serve, ann)
        seen = anyio.Event()
        await tasks.start(watch, ann, seen)
        print("ann listens on", *ann.addresses)
        await visit(ben, ann.addresses[0])
        await seen.wait()
        tasks.cancel_scope.cancel()


async def serve(node: Node, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
    """Answer every stream with what it says, in capitals."""
    async with Streams(node.client).accept_bytes(UPPER) as visitors:
        task_status.started()  # from here on nobody is turned away
        async for stream in visitors:
            with suppress(PeerloomError):  # who hangs up spoils it for nobody else
                async with stream:
                    async for chunk in stream:
                        await stream.send(chunk.upper())


async def watch(
    node: Node, gone: anyio.Event, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Tell what happens at a node, until somebody has left it."""
    async with node.client.events(PeerConnected, IdentifyReceived, PeerDisconnected) as events:
        task_status.started()  # from here on nothing is missed
        async for event in events:
            match event:
                case PeerConnected(connection=connection):
                    print("ann: somebody has come in by", connection.muxer)
                case IdentifyReceived(agent=agent):
                    print("ann: it is", agent)
                case PeerDisconnected(cause=cause):
                    print("ann: it has left:", cause)
                    gone.set()


async def visit(node: Node, address: Multiaddr) -> None:
    """Dial an address, ping who is there, and have a talk."""
    connection = await node.client.dial(address)
    print(f"ben: reached {connection.peer}, secured by {connection.security}")
    print(f"ben: there and back takes {await node.client.ping(connection.peer) * 1000:.1f} ms")
    async with await Streams(node.client).open_bytes(connection.peer, UPPER) as stream:
        await stream.send(b"hello, ann")
        await stream.send_eof()  # nothing more to say, but to listen
        print("ben: hears", b"".join([chunk async for chunk in stream]).decode())
    await node.client.disconnect(connection.peer)


if __name__ == "__main__":
    anyio.run(main)  # or asyncio.run(main()), or trio.run(main)
