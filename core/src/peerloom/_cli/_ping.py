"""``peerloom ping``: the round trip to a peer, again and again."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import PeerAddress, Trio
from ._output import milliseconds, one_line, say

if TYPE_CHECKING:
    from peerloom import NetworkClient

Count = Annotated[
    int | None,
    typer.Option(
        "--count", "-n", min=1, metavar="N", help="Stop after so many pings; else at Ctrl-C."
    ),
]
Interval = Annotated[
    float, typer.Option("--interval", "-i", min=0.01, metavar="SECONDS", help="Time in between.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ping")(ping)


def ping(
    address: PeerAddress, count: Count = None, interval: Interval = 1.0, trio: Trio = False
) -> None:
    """Measure the round trip to a peer. Exits with 1 if it never answers."""
    from ._running import run_until_signal

    trips: list[float | None] = []
    run_until_signal(partial(_ping, address, count, interval, trips), trio=trio)
    answered = [trip for trip in trips if trip is not None]
    say(summary(len(trips), answered))
    if not answered:
        raise typer.Exit(1)


def summary(sent: int, trips: list[float]) -> str:
    """What came of all pings, in one line."""
    text = f"{len(trips)} of {sent} answered"
    if not trips:
        return text
    times = (min(trips), sum(trips) / len(trips), max(trips))
    return f"{text}; least, mean, most: {', '.join(map(milliseconds, times))}"


async def _ping(
    address: str, count: int | None, interval: float, trips: list[float | None]
) -> None:
    import anyio

    from peerloom import Node

    async with Node() as node:
        connection = await node.client.dial(address)
        say(f"connected to {connection.peer} by {connection.security or 'its transport'}")
        while count is None or len(trips) < count:
            if trips:
                await anyio.sleep(interval)
            await _ping_once(node.client, address, str(connection.peer), trips)


async def _ping_once(
    client: "NetworkClient", address: str, peer: str, trips: list[float | None]
) -> None:
    from peerloom import LinkClosed
    from peerloom._meta._exchange import STREAM_FAILURES

    number = len(trips) + 1
    try:
        trip = await client.ping(peer)
    except STREAM_FAILURES as error:
        trips.append(None)
        say(f"{number}: no answer ({one_line(error)})")
        if isinstance(error, LinkClosed):
            await client.dial(address)
    else:
        trips.append(trip)
        say(f"{number}: {milliseconds(trip)}")
