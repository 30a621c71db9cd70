"""``peerloom id``: who this node is."""

import typer

from ._options import ConfigFile, DataFolder, settings_of
from ._output import say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("id")(print_id)


def print_id(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print this node's peer id."""
    from peerloom._identity import load_identity

    say(str(load_identity(identity_file(config, data)).peer_id))
