"""A chat over streams of framed messages, without gossipsub: it passes on what it hears by itself.

    python examples/chat.py Ann                                        # prints where it listens
    python examples/chat.py Ben /ip4/127.0.0.1/tcp/4001/p2p/12D3KooW…  # joins there

What you type, everybody reads. Each node passes on what it hears to all others that it talks with,
so whoever has joined can be joined in turn: the chat is a tree of nodes. The end of the input (or
Ctrl-C) leaves it. It has nothing to do with `peerloom chat`, and does not understand it: that one
is gossipsub, which is shorter to use, signs, finds other ways when a node leaves and drops copies.
Copy this to learn how streams are held; copy docs/guides/chat.md for a chat.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from peerloom import MalformedMessage, NetworkConfig, Node
from peerloom_stream import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.abc import TaskGroup

    from peerloom import Multiaddr
    from peerloom_stream import FramedStream, IncomingStreams

CHAT = "/example/chat/1.0.0"
PATIENCE_SECONDS = 5.0  # whoever does not read for so long is dropped
# What a lost stream raises, and one on which nonsense came.
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, MalformedMessage)


class Chat:
    """One person's end of it."""

    def __init__(self, node: Node, name: str, show: Callable[[str], None]) -> None:
        self._node = node
        self._name = name
        self._show = show
        self._streams = Streams(node.client)
        self._others: set[FramedStream] = set()

    async def talk(self, lines: AsyncIterator[str], address: str | Multiaddr | None = None) -> None:
        """Say these lines, and show what others say, until the lines end."""
        async with self._streams.accept(CHAT) as door, anyio.create_task_group() as tasks:
            if address is not None:
                connection = await self._node.client.dial(address)
                self._join(await self._streams.open(connection.peer, CHAT), tasks)
            tasks.start_soon(self._let_in, door, tasks)
            async for line in lines:
                await self._tell(f"{self._name}: {line}")
            for stream in list(self._others):
                await stream.aclose()  # a clean end: what was said still arrives
            tasks.cancel_scope.cancel()

    async def _let_in(self, door: IncomingStreams[FramedStream], tasks: TaskGroup) -> None:
        async for stream in door:
            self._join(stream, tasks)

    def _join(self, stream: FramedStream, tasks: TaskGroup) -> None:
        self._others.add(stream)
        tasks.start_soon(self._listen, stream)

    async def _listen(self, stream: FramedStream) -> None:
        """Show what comes from one of the others, and pass it on, until it leaves."""
        try:
            async with stream:
                async for message in stream:
                    said = message.data.decode(errors="replace")
                    self._show("".join(it for it in said if it.isprintable()))  # no escape codes
                    await self._tell(said, but=stream)
        except GONE:
            pass
        finally:
            self._others.discard(stream)

    async def _tell(self, said: str, but: FramedStream | None = None) -> None:
        async with anyio.create_task_group() as tasks:
            for stream in self._others - {but}:
                tasks.start_soon(self._send, stream, said)

    async def _send(self, stream: FramedStream, said: str) -> None:
        try:
            with anyio.move_on_after(PATIENCE_SECONDS):  # a send that is cut short resets it
                await stream.send(said.encode())
        except GONE:
            pass  # `_listen` has noticed it too


async def typed() -> AsyncIterator[str]:
    """The lines that somebody types."""
    while line := await to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        yield line.rstrip("\n")


async def main(name: str, *addresses: str) -> None:
    """Chat from a terminal."""
    async with Node(NetworkConfig(listen=["/ip4/0.0.0.0/tcp/0"])) as node:
        for own in node.addresses:
            print("join me at", own)
        await Chat(node, name, print).talk(typed(), *addresses)


if __name__ == "__main__":
    try:
        anyio.run(lambda: main(*sys.argv[1:]))
    except KeyboardInterrupt:
        print()
