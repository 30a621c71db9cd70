"""``peerloom perf``: how fast bytes go to a peer and come back."""

from functools import partial
from typing import Annotated

import typer

from ._options import PeerAddress, Trio
from ._output import human_bytes, human_rate, say

Mebibytes = Annotated[
    int, typer.Option(min=0, max=1 << 20, metavar="MIB", help="How much to move that way.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("perf")(perf)


def perf(
    address: PeerAddress, upload: Mebibytes = 64, download: Mebibytes = 64, trio: Trio = False
) -> None:
    """Measure the throughput to a peer.

    The peer must be willing: `PEERLOOM_PERF__SERVE=true peerloom run`.
    """
    from ._running import exit_status, run_until_signal

    stopped = run_until_signal(partial(_perf, address, upload << 20, download << 20), trio=trio)
    if stopped is not None:
        raise typer.Exit(exit_status(stopped))


async def _perf(address: str, upload: int, download: int) -> None:
    from peerloom import Node, PeerloomError, Perf, ProtocolNotSupported

    async with Node() as node:
        connection = await node.client.dial(address)
        say(f"connected to {connection.peer} by {connection.security or 'its transport'}")
        try:
            result = await node.client.call(Perf(connection.peer, upload, download))
        except ProtocolNotSupported:
            raise PeerloomError(
                "that peer does not serve measurements; start it with PEERLOOM_PERF__SERVE=true"
            ) from None
    for way, count, seconds in (
        ("up", result.upload_bytes, result.upload_seconds),
        ("down", result.download_bytes, result.download_seconds),
    ):
        if count:
            say(f"{way}: {human_bytes(count)} in {seconds:.2f} s, {human_rate(count, seconds)}")
