"""``peerloom plugins``: what is installed, and what becomes of it."""

from typing import TYPE_CHECKING

import typer

from peerloom._core_plugins import CORE_PLUGINS

from ._options import ConfigFile, DataFolder, NoPlugins, Plugins, settings_of
from ._output import say
from ._settings import node_inventory

if TYPE_CHECKING:
    from peerloom._config import PluginSelection

Row = tuple[str, str, str]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plugins")(plugins)


def plugins(
    plugin: Plugins = None,
    no_plugin: NoPlugins = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """List the installed plugins: active, disabled, or broken and why."""
    wanted = settings_of(config, data, None, plugin, no_plugin).selection()
    rows = [("PLUGIN", "STATE", "FROM"), *plugin_rows(wanted)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, state, origin in rows:
        say(f"{name:{widths[0]}}  {state:{widths[1]}}  {origin}")


def plugin_rows(wanted: "PluginSelection") -> list[Row]:
    """Name, state, and origin or cause of each plugin; core's own first, then by state."""
    inventory = node_inventory(wanted)
    core = [
        (name, "disabled" if name in wanted.disabled else "active", "peerloom itself")
        for name in CORE_PLUGINS
    ]
    active = [
        (one.name, "active", f"{one.distribution} {one.version}")
        for one in inventory.plugins
        if one.name not in CORE_PLUGINS
    ]
    disabled = [
        (name, "disabled", reason)
        for name, reason in inventory.left_out.items()
        if name not in CORE_PLUGINS
    ]
    broken = [
        (one.name, "broken", f"{one.distribution} {one.version}: {one.cause}")
        for one in inventory.broken
    ]
    return [*core, *active, *disabled, *broken]
