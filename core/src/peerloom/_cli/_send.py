"""``peerloom send``: offer a file to whoever has its ticket."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import ConfigFile, DataFolder, Listen, Trio, settings_of
from ._output import human_bytes, say, tell

if TYPE_CHECKING:
    from peerloom import NetworkConfig, Node
    from peerloom._transfer import OfferedFile

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file to send.")]
Keep = Annotated[
    bool, typer.Option("--keep", "-k", help="Go on after the file has been fetched once.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("send")(send)


def send(
    file: FileArgument,
    keep: Keep = False,
    listen: Listen = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    trio: Trio = False,
) -> None:
    """Print a ticket for a file, and serve the file.

    This ends when the file has been fetched once and verified, or by Ctrl-C or SIGTERM.
    """
    from ._running import run_until_signal

    settings = settings_of(config, data, listen)
    run_until_signal(partial(_send, file, settings.load(), keep=keep), trio=trio)


async def _send(path: Path, config: "NetworkConfig", *, keep: bool) -> None:
    await _serve(await _offer(path), config, keep=keep)


async def _offer(path: Path) -> "OfferedFile":
    from peerloom import SystemRuntime
    from peerloom._transfer import offer_file

    from ._progress import TransferBar

    with TransferBar() as bar:
        return await offer_file(path, SystemRuntime(), partial(bar.show, "hashing"))


async def _serve(file: "OfferedFile", config: "NetworkConfig", *, keep: bool) -> None:
    from peerloom import Lagged
    from peerloom._transfer import FileRequested, FileServed, TransferPlugin

    from ._nodes import passing_node

    async with (
        passing_node(config, plugins=[TransferPlugin([file])]) as node,
        node.client.events(FileRequested, FileServed) as events,
    ):
        _print_ticket(node, file)
        async for event in events:
            if isinstance(event, Lagged):
                continue
            _tell(event)
            if isinstance(event, FileServed) and event.verified and not keep:
                return


def _print_ticket(node: "Node", file: "OfferedFile") -> None:
    from peerloom._ticket import Ticket

    from ._sharing import worth_sharing

    ticket = Ticket(node.peer_id, worth_sharing(node), file.content_hash, file.size, file.name)
    tell(f"{file.name}, {human_bytes(file.size)}. The other side runs:  peerloom receive TICKET")
    tell("This serves the file until it is fetched; Ctrl-C stops it. The ticket:")
    say(str(ticket))


def _tell(event: object) -> None:
    from peerloom._transfer import FileRequested, FileServed

    match event:
        case FileRequested(peer=peer, offset=0):
            tell(f"{peer} fetches it")
        case FileRequested(peer=peer, offset=offset):
            tell(f"{peer} goes on fetching it at {human_bytes(offset)}")
        case FileServed(peer=peer, verified=True):
            tell(f"{peer} has it, verified")
        case FileServed(peer=peer, sent_bytes=sent, cause=cause):
            tell(f"{peer} does not have it: after {human_bytes(sent)}: {cause}")
