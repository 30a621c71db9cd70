"""``peerloom run``: a node that runs until it is stopped."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import (
    ConfigFile,
    DataFolder,
    DialAddresses,
    Listen,
    NoPlugins,
    Plugins,
    Trio,
    settings_of,
)
from ._output import say

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from peerloom import Event, NetworkClient, NetworkConfig, Node

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Tell the addresses, and nothing of what happens.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    listen: Listen = None,
    dial: DialAddresses = None,
    plugin: Plugins = None,
    no_plugin: NoPlugins = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    quiet: Quiet = False,
    trio: Trio = False,
) -> None:
    """Run a node until it is stopped by Ctrl-C or SIGTERM.

    Without any option it listens on all interfaces, on port 2428 or, when that is taken, on free
    ones, and keeps its identity in the platform's data folder.
    """
    from ._running import run_until_signal

    settings = settings_of(config, data, listen, plugin, no_plugin)
    run_until_signal(partial(_run, settings.load(), tuple(dial or ()), quiet=quiet), trio=trio)


async def _run(config: "NetworkConfig", dial: tuple[str, ...], *, quiet: bool) -> None:
    import anyio

    from peerloom._background import Background

    from ._nodes import listening_node
    from ._targets import refuse_own, stay_connected

    async with listening_node(config) as node:
        refuse_own(node, dial)
        async with Background() as tasks:
            _introduce(node)
            if not quiet:
                await tasks.start(_tell_events, node.client)
            for address in dial:
                tasks.start_soon(stay_connected, node.client, address)
            await anyio.sleep_forever()


def _introduce(node: "Node") -> None:
    say(f"peer id {node.peer_id}")
    for address in node.addresses:
        say(f"listening on {address}")


async def _tell_events(client: "NetworkClient", *, task_status: "TaskStatus[None]") -> None:
    from peerloom import Event

    async with client.events(Event) as events:
        task_status.started()
        async for event in events:
            if text := describe_event(event):
                say(text)


def describe_event(event: "Event") -> str | None:
    """What an operator is told of an event, or None."""
    import peerloom as p

    text: str | None = None
    match event:
        case p.PeerConnected(peer=peer, connection=connection, established=1):
            text = f"connected to {peer} at {connection.remote_address}"
        case p.PeerDisconnected(peer=peer, remaining=0, cause=cause):
            text = f"disconnected from {peer}: {cause}"
        case p.ListenAddressExpired(address=address):
            text = f"no longer listening on {address}"
        case p.ExternalAddressConfirmed(address=address):
            text = f"reachable at {address}"
        case p.ExternalAddressExpired(address=address):
            text = f"no longer reachable at {address}"
        case p.Lagged(count=count):
            text = f"{count} events were not told: this terminal is too slow"
    return text
