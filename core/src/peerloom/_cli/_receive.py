"""``peerloom receive``: fetch the file that a ticket names."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ._options import Trio
from ._output import human_bytes, human_rate, one_line, say, tell

if TYPE_CHECKING:
    from peerloom import Node
    from peerloom._ticket import Ticket
    from peerloom._transfer import Progress

    from ._progress import TransferBar

FIRST_PAUSE_SECONDS: Final = 1.0  # doubled before each further attempt that brings nothing
MAX_PAUSE_SECONDS: Final = 16.0

TicketText = Annotated[
    str, typer.Argument(metavar="TICKET", help="What `peerloom send` printed on the other side.")
]
Folder = Annotated[
    Path, typer.Option("--to", "-t", metavar="DIR", help="The folder to put the file into.")
]
Attempts = Annotated[
    int,
    typer.Option(
        "--attempts",
        min=1,
        metavar="N",
        help="Give up after so many attempts in a row that brought nothing.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print path, bytes and seconds as JSON, not just the path.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("receive")(receive)


def receive(
    ticket: TicketText,
    to: Folder = Path(),
    attempts: Attempts = 5,
    as_json: AsJson = False,
    trio: Trio = False,
) -> None:
    """Fetch the file that a ticket names.

    The file is verified, and its path is printed. An existing file is never replaced. What
    breaks off is taken up again, at once or when the same command is run again.
    """
    from peerloom._ticket import Ticket

    from ._running import exit_status, run_until_signal

    work = _Reception(Ticket.from_string(ticket), to, attempts)
    stopped = run_until_signal(work.run, trio=trio)
    if stopped is not None:
        tell("stopped; the same command goes on from here")
        raise typer.Exit(exit_status(stopped))
    say(work.report() if as_json else str(work.path))


class _Reception:
    """One file on its way here, in one attempt or several."""

    def __init__(self, ticket: "Ticket", folder: Path, attempts: int) -> None:
        self.path = Path()
        self._ticket = ticket
        self._folder = folder
        self._attempts = attempts
        self._first_bytes: int | None = None
        self._here = 0
        self._seconds = 0.0

    async def run(self) -> None:
        from peerloom import Node, SystemRuntime

        from ._progress import TransferBar

        now = SystemRuntime().now
        async with Node() as node:
            began_at = now()
            with TransferBar() as bar:
                await self._fetch(node, bar)
            self._seconds = now() - began_at
        size = self._ticket.size - (self._first_bytes or 0)
        tell(
            f"{human_bytes(size)} in {self._seconds:.2f} s, {human_rate(size, self._seconds)}, "
            "verified"
        )

    def report(self) -> str:
        return json.dumps(
            {
                "path": str(self.path),
                "bytes": self._ticket.size,
                "fetched_bytes": self._ticket.size - (self._first_bytes or 0),
                "seconds": round(self._seconds, 4),
            }
        )

    async def _fetch(self, node: "Node", bar: "TransferBar") -> None:
        import anyio

        from peerloom._errors import DialFailed, TransferBroken
        from peerloom._transfer import receive_file

        failures = 0
        while True:
            before = self._here
            try:
                progress = partial(self._show, bar)
                self.path = await receive_file(node.client, self._ticket, self._folder, progress)
            except (TransferBroken, DialFailed) as error:
                failures = 1 if self._here > before else failures + 1
                never_began = isinstance(error, DialFailed) and self._first_bytes is None
                if never_began or failures >= self._attempts:
                    raise
                pause = min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), MAX_PAUSE_SECONDS)
                tell(f"{one_line(error)}; the next attempt is in {pause:.0f} s")
                await anyio.sleep(pause)
            else:
                return

    def _show(self, bar: "TransferBar", progress: "Progress") -> None:
        from peerloom._transfer import Stage

        if progress.stage is Stage.FETCHING:
            self._here = progress.done
            if self._first_bytes is None:
                self._first_bytes = progress.done
        bar.show(progress.stage.value, progress.done, progress.total)
