"""``peerloom plugins``: what is installed, and what becomes of it."""

from typing import TYPE_CHECKING, Any

import typer

from ._options import AsJson, ConfigFile, DataFolder, NoPlugins, Plugins, settings_of
from ._output import say, say_json, say_table, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom._known_plugins import KnownPlugin

    from ._inventory import PluginRow


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plugins")(plugins)


def plugins(
    plugin: Plugins = None,
    no_plugin: NoPlugins = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the plugins: active, disabled, or broken and why.

    Active ones stand in the order in which they start. Below are those of Peerloom that are not
    installed, and those that are still to come.
    """
    from ._inventory import installed_plugins

    installed = installed_plugins(settings_of(config, data, None, plugin, no_plugin))
    for name, meant in installed.mistyped.items():
        tell(f"peerloom: {name} is disabled, but there is no such plugin; {meant}")
    offered, coming = installed.could_be_added(), installed.to_come()
    if as_json:
        say_json(
            {
                "plugins": [_record(row) for row in installed.rows],
                "could_be_added": [_offer(one) for one in offered],
                "to_come": [_offer(one) for one in coming],
            }
        )
        return
    say_table(("#", "PLUGIN", "STATE", "FROM"), *(_cells(row) for row in installed.rows))
    _say_offers("Could be added, by pip install peerloom-NAME:", offered)
    _say_offers("To come:", coming)


def _say_offers(title: str, offers: "Sequence[KnownPlugin]") -> None:
    if offers:
        say(f"\n{title}")
        say_table(*(("", one.name, one.summary) for one in offers))


def _cells(row: "PluginRow") -> tuple[str, str, str, str]:
    why = f": {row.cause}" if row.cause else ""
    return (str(row.start or "-"), row.name, row.state, row.origin + why)


def _record(row: "PluginRow") -> dict[str, Any]:
    info = row.info
    return {
        "name": row.name,
        "state": row.state,
        "start": row.start,
        "distribution": row.distribution,
        "version": row.version,
        "cause": row.cause or None,
        "requires": info.requires if info else None,
        "provides": info.provides if info else None,
        "after": info.after if info else None,
    }


def _offer(one: "KnownPlugin") -> dict[str, str]:
    return {"name": one.name, "distribution": one.distribution, "does": one.summary}
