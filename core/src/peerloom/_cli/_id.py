"""``peerloom id``: who this node is."""

from typing import TYPE_CHECKING

import typer

from ._options import ConfigFile, DataFolder, settings_of
from ._output import say

if TYPE_CHECKING:
    from peerloom._config import NetworkConfig
    from peerloom._libp2p import KeyPair


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("id")(print_id)


def print_id(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print this node's peer id."""
    say(str(key_of(settings_of(config, data).load()).peer_id))


def key_of(config: "NetworkConfig") -> "KeyPair":
    """The key that a node of this configuration has; raises `IdentityError` if there is none."""
    from pathlib import Path

    from peerloom._identity import load_identity
    from peerloom._node import IDENTITY_NAME

    match config.identity:
        case None:
            return load_identity((config.data_folder or Path()) / IDENTITY_NAME)
        case Path() as path:
            return load_identity(path)
        case key:
            return key
