"""Embedding in trio: ask several peers at once, take the first answer, drop the others.

    python examples/trio_app.py

A node lives inside a trio program like anything else: in `async with`, under cancel scopes, beside
nurseries of your own. Cancelling who waits for a peer resets the stream to it, so that the
peer knows as well that nobody listens any more.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio
from anyio import EndOfStream  # streams are anyio's, on trio too, and end by anyio's errors

from peerloom import NetworkConfig, Node, PeerloomError, StreamReset
from peerloom_stream import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from peerloom import Multiaddr, PeerId
    from peerloom_stream import FramedStream, IncomingStreams

    Oracle = Callable[[FramedStream], Awaitable[None]]

ORACLE = "/example/oracle/1.0.0"
QUESTION = b"what is the answer?"
SECONDS = 10  # that all of them have together


async def main() -> None:
    """Three oracles: one never answers, one hangs up, one answers."""
    async with (
        running(silent) as slow,
        running(broken) as rude,
        running(wise) as good,
        Node() as node,
    ):
        with trio.fail_after(SECONDS):
            peers = [(await node.client.dial(address)).peer for address in (slow, rude, good)]
            print("first answer:", (await first_answer(node, peers)).decode())


@asynccontextmanager
async def running(oracle: Oracle) -> AsyncGenerator[Multiaddr]:
    """The address of a node whose streams an oracle answers."""
    async with (
        Node(NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"])) as node,
        Streams(node.client).accept(ORACLE) as callers,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(answer, callers, oracle)
        yield node.addresses[0]
        nursery.cancel_scope.cancel()


async def answer(callers: IncomingStreams[FramedStream], oracle: Oracle) -> None:
    """Let the oracle have every stream."""
    async for stream in callers:
        with suppress(PeerloomError):  # who hangs up spoils it for nobody else
            await oracle(stream)


async def first_answer(node: Node, peers: Sequence[PeerId]) -> bytes:
    """What the quickest of them says; raises LookupError when none says anything."""
    answers, heard = trio.open_memory_channel[bytes](len(peers))
    async with trio.open_nursery() as nursery:
        async with answers:
            for peer in peers:
                nursery.start_soon(ask, node, peer, answers.clone())
        async for first in heard:  # ends when the last of them has given up
            nursery.cancel_scope.cancel()
            return first
    raise LookupError("no oracle has an answer")


async def ask(node: Node, peer: PeerId, answers: trio.MemorySendChannel[bytes]) -> None:
    """Hand on what a peer says, unless it breaks off."""
    async with answers:
        try:
            async with await Streams(node.client).open(peer, ORACLE) as stream:
                await stream.send(QUESTION)
                await answers.send((await stream.receive()).data)
        except (PeerloomError, EndOfStream) as error:
            print(f"one breaks off: {type(error).__name__}")


async def silent(stream: FramedStream) -> None:
    """Listen to the question, and think, until the other side gives up."""
    try:
        await stream.receive()
        await stream.receive()
    except StreamReset:
        print("nobody waits for the slow one any more")


async def broken(stream: FramedStream) -> None:
    """Hang up."""
    stream.reset()


async def wise(stream: FramedStream) -> None:
    """Know the answer."""
    async with stream:
        await stream.receive()
        await stream.send(b"42")


if __name__ == "__main__":
    trio.run(main)
