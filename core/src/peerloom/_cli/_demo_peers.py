"""The hidden commands that the demo's processes run: one that listens, one that calls."""

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ._options import Trio
from ._output import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom import Node
    from peerloom_stream import FramedStream, Streams

PROTOCOL: Final = "/peerloom/demo/1.0.0"
MESSAGES: Final = 1000
MESSAGE_BYTES: Final = 1024

Target = Annotated[str, typer.Argument(metavar="ADDRESS")]
Security = Annotated[str, typer.Option("--security")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo-listener", hidden=True)(listener)
    app.command("demo-caller", hidden=True)(caller)


def listener(trio: Trio = False) -> None:
    """Listen on loopback, print the address, and send every message back until stopped."""
    from ._running import run_until_signal

    run_until_signal(_listen, trio=trio)


def caller(address: Target, security: Security = "tls", trio: Trio = False) -> None:
    """Connect, exchange messages, and print what was measured."""
    from ._running import run_until_signal

    run_until_signal(partial(_call, address, security), trio=trio)


async def _listen() -> None:
    from peerloom import NetworkConfig, Node
    from peerloom._background import Background

    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"])
    async with (
        Node(config) as node,
        Background() as tasks,
        _streams(node).accept(PROTOCOL) as incoming,
    ):
        say(str(node.addresses[0]))
        async for stream in incoming:
            tasks.start_soon(_echo, stream)


async def _echo(stream: "FramedStream") -> None:
    from contextlib import suppress

    from peerloom._meta._exchange import STREAM_FAILURES

    with suppress(*STREAM_FAILURES):
        async with stream:
            async for message in stream:
                await stream.send(message)


async def _call(address: str, security: str) -> None:
    from peerloom import NetworkConfig, Node, SystemRuntime

    now = SystemRuntime().now
    async with Node(NetworkConfig(security=[security])) as node:
        dialled_at = now()
        connection = await node.client.dial(address)
        connected_at = now()
        stream = await _streams(node).open(connection.peer, PROTOCOL)
        async with stream:
            trips = [await _round_trip(stream, number, now) for number in range(MESSAGES)]
    say(
        json.dumps(
            {
                "security": connection.security,
                "connect_seconds": connected_at - dialled_at,
                "messages": len(trips),
                "seconds": sum(trips),
                "median_seconds": sorted(trips)[len(trips) // 2],
            }
        )
    )


async def _round_trip(stream: "FramedStream", number: int, now: "Callable[[], float]") -> float:
    from peerloom import MalformedMessage

    message = number.to_bytes(MESSAGE_BYTES)
    sent_at = now()
    await stream.send(message)
    if (await stream.receive()).data != message:
        raise MalformedMessage("a message came back with other bytes")
    return now() - sent_at


def _streams(node: "Node") -> "Streams":
    from peerloom import PluginError

    try:
        from peerloom_stream import Streams
    except ImportError:
        raise PluginError(
            "the demo needs the stream plugin: pip install 'peerloom[stream]'"
        ) from None
    return Streams(node.client)
