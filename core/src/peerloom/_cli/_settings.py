"""From options, environment and file to a node's configuration, and to the plugins it uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peerloom._config import NetworkConfig, PluginSelection
    from peerloom._config_file import SelectionSources
    from peerloom._plugins import Candidate, Inventory
    from peerloom._selection import Selection

CONFIG_NAME: Final = "config.toml"


@frozen
class Settings:
    """What a command line says about a node.

    Attributes:
        config: the configuration file, or None.
        data: the data folder, or None.
        listen: addresses; none stands for the program's default.
        plugin: the only plugins to use; none stands for all.
        no_plugin: plugins to leave out.
    """

    config: Path | None = None
    data: Path | None = None
    listen: tuple[str, ...] = ()
    plugin: tuple[str, ...] = ()
    no_plugin: tuple[str, ...] = ()

    def load(self) -> NetworkConfig:
        """The configuration, with a data folder and an identity that outlives the process.

        Raises `ConfigError`.
        """
        from peerloom._config_file import load_config

        inventory = node_inventory(self.selection())
        sections = [section for plugin in inventory.plugins for section in plugin.sections]
        absent = [*inventory.left_out, *(broken.name for broken in inventory.broken)]
        config = load_config(self.file(), os.environ, self._overrides(), sections, absent)
        return evolve(config, data_folder=config.data_folder or self.folder())

    def selection(self) -> PluginSelection:
        """Which plugins are wanted."""
        from peerloom._config_file import load_plugin_selection

        return load_plugin_selection(self.file(), os.environ, self._overrides())

    def selection_sources(self) -> SelectionSources:
        """Who wants them, or does not."""
        from peerloom._config_file import load_selection_sources

        return load_selection_sources(self.file(), os.environ, self._overrides())

    def folder(self) -> Path:
        """The data folder that is named, or the platform's."""
        from peerloom._config import default_data_folder

        named = os.environ.get("PEERLOOM_DATA_FOLDER")
        return self.data or (Path(named).expanduser() if named else default_data_folder())

    def file(self) -> Path | None:
        """The configuration file: the one named, or the data folder's, or none.

        Raises `ConfigError` if it cannot be looked for.
        """
        from peerloom._errors import ConfigError

        if self.config is not None:
            return self.config
        default = self.folder() / CONFIG_NAME
        try:
            return default if default.is_file() else None
        except OSError as error:
            raise ConfigError(f"{default}: cannot be looked for: {error.strerror}") from error

    def _overrides(self) -> Mapping[str, object]:
        plugins = {"enabled": list(self.plugin), "disabled": list(self.no_plugin)}
        said: dict[str, Any] = {
            "listen": list(self.listen),
            "plugins": {key: names for key, names in plugins.items() if names},
            "data_folder": None if self.data is None else str(self.data.absolute()),
        }
        return {key: value for key, value in said.items() if value}


def installed_inventory() -> Inventory:
    """All installed plugins, loaded and judged, without core's own, whose names are taken."""
    from peerloom._config_file import reserved_sections
    from peerloom._core_plugins import CORE_PLUGINS
    from peerloom._plugins import core_candidate, installed_candidates, load_plugins

    elsewhere = map(core_candidate, CORE_PLUGINS)
    return load_plugins(installed_candidates(), None, reserved_sections(), elsewhere)


def node_inventory(wanted: PluginSelection) -> Inventory:
    """The plugins of a node, loaded and judged as it would; of ``swarm`` only the name counts.

    Raises `ConfigError` for a plugin that is wanted and not installed.
    """
    return inventory_of(*node_candidates(wanted))


def inventory_of(candidates: Sequence[Candidate], selection: Selection) -> Inventory:
    """Those that are selected, loaded and judged."""
    from peerloom._config_file import reserved_sections
    from peerloom._core_plugins import SWARM
    from peerloom._plugins import core_candidate, load_plugins

    elsewhere = [core_candidate(SWARM)]
    return load_plugins(candidates, selection.left_out, reserved_sections(), elsewhere)


def node_candidates(wanted: PluginSelection) -> tuple[list[Candidate], Selection]:
    """What may be a plugin of a node, ``swarm`` excepted, and which of them it uses.

    Raises `ConfigError` for a plugin that is wanted and not installed.
    """
    from peerloom._config import NetworkConfig
    from peerloom._core_plugins import CORE_PLUGINS, core_plugins
    from peerloom._plugins import given_candidate, installed_candidates
    from peerloom._selection import select_plugins

    core = core_plugins(NetworkConfig())
    candidates = [*(given_candidate(one, "peerloom") for one in core), *installed_candidates()]
    available = {*CORE_PLUGINS, *(candidate.name for candidate in candidates)}
    return candidates, select_plugins(available, wanted, core=CORE_PLUGINS)
