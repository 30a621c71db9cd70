"""``peerloom chat``, ``pub`` and ``sub``: topics in a terminal."""

from functools import partial
from typing import Annotated, Any

import typer

from peerloom.cli import (
    AsJson,
    ConfigFile,
    DataFolder,
    DialAddresses,
    Listen,
    Trio,
    exit_status,
    run_until_signal,
    settings_of,
)

Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="Any text; all must use the same.")]
Said = Annotated[
    str | None,
    typer.Option("--message", "-m", metavar="TEXT", help="Publish this, instead of the input."),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        "-w",
        min=0,
        metavar="SECONDS",
        help="Wait so long for somebody, or for one who takes nothing.",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--count", "-n", min=1, metavar="N", help="Stop after so many messages; else at Ctrl-C."
    ),
]


def add_to(app: Any) -> None:
    """Add the commands."""
    for command in (chat, pub, sub):
        app.command(command.__name__)(command)


def chat(
    topic: Topic,
    dial: DialAddresses = None,
    listen: Listen = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    trio: Trio = False,
) -> None:
    """Talk with everybody who is subscribed to a topic.

    Each line of the input is a message. The end of the input, or Ctrl-C, leaves.
    """
    from ._chat import run_chat

    settings = settings_of(config, data, listen)
    run_until_signal(partial(run_chat, settings.load(), topic, tuple(dial or ())), trio=trio)


def pub(
    topic: Topic,
    message: Said = None,
    wait: Wait = 30.0,
    dial: DialAddresses = None,
    listen: Listen = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    trio: Trio = False,
) -> None:
    """Publish to a topic: a message, or each line of the input.

    Waits until somebody who is connected is subscribed, and until all is sent. Exits with 1 if
    nobody is, or if something was not published or sent, and with 130 if Ctrl-C came first.
    """
    from ._pub import run_pub

    settings = settings_of(config, data, listen)
    to = tuple(dial or ())
    stopped = run_until_signal(
        partial(run_pub, settings.load(), topic, message, wait, to), trio=trio
    )
    if stopped is not None:
        raise typer.Exit(exit_status(stopped))


def sub(
    topic: Topic,
    count: Count = None,
    json: AsJson = False,
    dial: DialAddresses = None,
    listen: Listen = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    trio: Trio = False,
) -> None:
    """Print what is published to a topic: who wrote it, and what, in a line each.

    Who is told by the end of the peer id; --json has all of it.
    """
    from ._sub import run_sub

    settings = settings_of(config, data, listen)
    to = tuple(dial or ())
    run_until_signal(
        partial(run_sub, settings.load(), topic, to, count=count, as_json=json), trio=trio
    )
