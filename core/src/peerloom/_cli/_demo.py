"""``peerloom demo``: processes on this machine meet, talk, and move a file."""

from typing import Annotated, Final

import typer

from . import _demo_peers
from ._options import Trio

MEBIBYTES: Final = 256

Size = Annotated[
    int,
    typer.Option("--size", min=1, max=4096, metavar="MIB", help="The size of the file to move."),
]


def add_to(app: typer.Typer) -> None:
    """Add the command, and the hidden ones that its processes run."""
    app.command("demo")(demo)
    _demo_peers.add_to(app)


def demo(size: Size = MEBIBYTES, trio: Trio = False) -> None:
    """Run several nodes on this machine and show what they do together.

    They connect by TLS and by Noise, exchange messages, and move a file; a table tells what was
    measured. Exits with 0 if all of it worked.
    """
    from ._demo_script import play
    from ._running import exit_status, run_until_signal

    outcomes: list[bool] = []

    async def run() -> None:
        outcomes.append(await play(size << 20, trio=trio))

    stopped = run_until_signal(run, trio=trio)
    if stopped is not None:
        raise typer.Exit(exit_status(stopped))
    if not all(outcomes):
        raise typer.Exit(1)
