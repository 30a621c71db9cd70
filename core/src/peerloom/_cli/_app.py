"""The typer app: core's commands, and those that plugins add."""

import logging
import os
import signal
import sys
from typing import Annotated, Final

import typer

from peerloom._errors import PeerloomError

from . import (
    _demo,
    _doctor,
    _hooks,
    _id,
    _init,
    _new_plugin,
    _perf,
    _ping,
    _plugins,
    _receive,
    _run,
    _send,
)
from ._group import App, CommandGroup
from ._output import one_line, tell
from ._settings import installed_inventory

# In the order of the help text.
_COMMANDS: Final = (
    *(_run, _init, _id, _ping, _perf, _send, _receive, _demo),
    *(_plugins, _hooks, _doctor, _new_plugin),
)
_BROKEN_PIPE_STATUS: Final = 141  # what a shell reports for a process that SIGPIPE ended


def run_app() -> None:
    """Build the app and run it; an error of Peerloom becomes one line and status 1."""
    try:
        app = build_app()
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # until now it ended the process
            signal.signal(signal.SIGINT, signal.default_int_handler)
        app(prog_name="peerloom")
    except PeerloomError as error:
        tell(f"peerloom: {one_line(error)}")
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would flush
        sys.exit(_BROKEN_PIPE_STATUS)


def build_app() -> typer.Typer:
    """The app with every command; a plugin whose commands cannot be added is told and left out."""
    from peerloom._plugins import extend_cli

    app = core_app()
    for broken in extend_cli(app, installed_inventory().plugins):
        tell(f"peerloom: the commands of plugin {broken.name} are not available: {broken.cause}")
    return app


def core_app() -> typer.Typer:
    """The app with core's own commands."""
    app = App(
        name="peerloom",
        cls=CommandGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # else every start pays 100 ms for a Markdown parser
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_peerloom)
    for module in _COMMANDS:
        module.add_to(app)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"peerloom {version('peerloom')}")
        raise typer.Exit


def _peerloom(
    *,
    version: Annotated[  # noqa: ARG001 - its callback does all
        bool,
        typer.Option(
            "--version", help="Print the version, and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens inside, to standard error.")
    ] = False,
) -> None:
    """Peerloom: a libp2p node made of plugins."""
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(format="peerloom: %(levelname)s: %(message)s", level=level)
