"""``peerloom init``: a configuration file and an identity to begin with."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._options import DataFolder, NoPlugins, Plugins, settings_of
from ._output import say

if TYPE_CHECKING:
    from ._settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(data: DataFolder = None, plugin: Plugins = None, no_plugin: NoPlugins = None) -> None:
    """Write a commented configuration and an identity.

    The file explains every setting. What exists already is left as it is.
    """
    settings = settings_of(data=data, plugin=plugin, no_plugin=no_plugin)
    folder = settings.folder()
    path, made = write_config(folder, settings)
    say(f"{'wrote' if made else 'kept'} {path}")
    path, peer_id, made = write_identity(folder)
    say(f"{'wrote' if made else 'kept'} {path}, peer id {peer_id}")


def write_config(folder: Path, settings: "Settings") -> tuple[Path, bool]:
    """Write the file unless it exists; gives where it is, and whether it was written.

    Raises `ConfigError` if that cannot be done.
    """
    from peerloom._config_text import default_config_text
    from peerloom._errors import ConfigError

    from ._settings import CONFIG_NAME, node_inventory

    path = folder / CONFIG_NAME
    inventory = node_inventory(settings.selection())
    sections = [section for one in inventory.plugins for section in one.sections]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(default_config_text(sections))
    except FileExistsError:
        return path, False
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    return path, True


def write_identity(folder: Path) -> tuple[Path, str, bool]:
    """Make the identity unless it exists: where it is, its peer id, whether it was made."""
    from peerloom._identity import load_or_create_identity
    from peerloom._node import IDENTITY_NAME

    path = folder / IDENTITY_NAME
    existed = path.exists()
    return path, str(load_or_create_identity(path).peer_id), not existed
