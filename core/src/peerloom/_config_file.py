"""Reads the configuration from a file, the environment and the command line.

Each layer wins over the ones before it: defaults, the TOML file, ``PEERLOOM_…`` variables, what
the command line says. Lists are replaced, not joined; tables are joined setting by setting.

A variable is ``PEERLOOM_`` and the setting's name in capitals, with ``__`` between a section and
its setting: ``PEERLOOM_LISTEN``, ``PEERLOOM_PING__INTERVAL_SECONDS``. A list is written with
commas. ``PEERLOOM_PLUGINS`` alone names plugins to use, and after a ``-`` plugins to leave out:
``PEERLOOM_PLUGINS=stream,-mdns``. A plugin that a layer enables by name is enabled although an
earlier layer disables it.
"""

from __future__ import annotations

import logging
import tomllib
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from ._config import Bootstrap, NetworkConfig, PluginSelection
from ._config_values import (
    Given,
    Source,
    Tree,
    build,
    convert,
    field_types,
    plant,
)
from ._errors import ConfigError
from ._known_plugins import name_advice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ._config import ConfigSection

_log = logging.getLogger("peerloom.config")

PREFIX: Final = "PEERLOOM_"
NOT_SETTINGS: Final = frozenset(
    {
        "PEERLOOM_CONFIG",  # names the file itself
        "PEERLOOM_REQUIRE_ALL",  # a switch of the test suite
    }
)
_ENVIRONMENT: Final = Source("the environment", is_text=True)
_COMMAND_LINE: Final = Source("the command line", is_text=True)
_PROGRAM: Final = Source("NetworkConfig.settings")


@frozen
class SelectionSources:
    """Who chose the plugins: files, variables, the command line.

    Attributes:
        enabled: who names those that are enabled.
        disabled: who switches off which.
    """

    enabled: str
    disabled: Mapping[str, str]


def network_setting_types() -> dict[str, Any]:
    """The settings outside of plugins' sections as a file holds them, and their types."""
    types = field_types(NetworkConfig, KeyPair=Path)  # a file can only name a key's file
    return {**types, "bootstrap": Bootstrap}


def reserved_sections() -> frozenset[str]:
    """The names that no plugin's section can have."""
    return frozenset((*network_setting_types(), "plugins"))


def load_config(
    file: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    sections: Sequence[ConfigSection],
    absent: Collection[str] = (),
) -> NetworkConfig:
    """Read the configuration; see the module's text for what wins over what.

    Raises `ConfigError` for an unknown or wrong setting, naming it and where it stands.

    Args:
        file: a TOML file, or None for none.
        environ: the environment.
        overrides: what the command line says, nested as in the file; values may be text.
        sections: the sections that plugins read.
        absent: plugins that are installed but not in use. Which sections are theirs nobody knows,
            since they are not loaded: those named like them are left unread, and so are, with a
            warning, those that no plugin in use reads.
    """
    layers = _layers(file, environ, overrides)
    tree = reduce(_merged, layers)
    tree.pop("plugins", None)
    by_name = {section.name: section for section in sections}
    if absent:
        _drop_what_absent_plugins_read(tree, {*network_setting_types(), *by_name}, absent)
    settings = {
        name: convert(by_name[name].config_class, tree.pop(name), name)
        for name in list(tree)
        if name in by_name
    }
    return _network_config(tree, settings, _selection(layers), by_name)


def load_plugin_selection(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> PluginSelection:
    """Only which plugins are wanted: known before any plugin is loaded."""
    return _selection(_layers(file, environ, overrides))


def load_selection_sources(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> SelectionSources:
    """Who says that which `load_plugin_selection` gives."""
    enabled, disabled = "", dict[str, str]()
    for layer in _layers(file, environ, overrides):
        named = layer.get("plugins")
        if not isinstance(named, Tree):
            continue
        said: PluginSelection = convert(PluginSelection, named, "plugins")
        if "enabled" in named:
            enabled = named["enabled"].source.name
            disabled = {name: who for name, who in disabled.items() if name not in said.enabled}
        if "disabled" in named:
            disabled = dict.fromkeys(said.disabled, named["disabled"].source.name)
    return SelectionSources(enabled, disabled)


def resolve_settings(
    config: NetworkConfig, sections: Iterable[ConfigSection], absent: Collection[str] = ()
) -> dict[str, Any]:
    """An instance of its config class for each section, from `NetworkConfig.settings`.

    Raises `ConfigError` for a section or setting that does not exist, or is wrong; see
    `load_config` for `absent`.
    """
    by_name = {section.name: section for section in sections}
    tree = plant(config.settings, _PROGRAM)
    for name, node in tree.items():
        if name in by_name or name in absent:
            continue
        if not absent:
            raise _unknown(name, node.source, by_name)
        _warn_of_unread(name, node, by_name, absent)
    return {
        name: convert(section.config_class, tree.get(name, Tree(_PROGRAM)), name)
        for name, section in by_name.items()
    }


def _drop_what_absent_plugins_read(
    tree: Tree, known: Collection[str], absent: Collection[str]
) -> None:
    for name, node in list(tree.items()):
        if name in known or not isinstance(node, Tree):
            continue
        del tree[name]
        if name not in absent:
            _warn_of_unread(name, node, known, absent)


def _unknown(name: str, source: Source, known: Collection[str]) -> ConfigError:
    return ConfigError(f"{source.name}: {name}: no such setting; {name_advice(name, known)}")


def _warn_of_unread(
    name: str, node: Tree | Given, known: Collection[str], absent: Collection[str]
) -> None:
    _log.warning(
        "%s: [%s] is not read: no plugin in use has such a section (%s), but perhaps one that is "
        "not in use (%s)",
        node.source.name,
        name,
        name_advice(name, known),
        ", ".join(sorted(absent)),
    )


def _network_config(
    tree: Tree,
    settings: Mapping[str, object],
    plugins: PluginSelection,
    sections: Iterable[str],
) -> NetworkConfig:
    types = network_setting_types()
    del types["settings"], types["plugins"]
    for key, node in tree.items():
        if key not in types:
            raise _unknown(key, node.source, {*types, *sections, "plugins"})
    if "bootstrap" in tree:
        nodes = convert(Bootstrap, tree["bootstrap"], "bootstrap").nodes
        tree["bootstrap"] = Given(nodes, tree["bootstrap"].source)
        types["bootstrap"] = field_types(NetworkConfig, KeyPair=Path)["bootstrap"]
    config: NetworkConfig = build(NetworkConfig, tree, "", types)
    return evolve(config, settings=settings, plugins=plugins)


def _layers(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> list[Tree]:
    from_file = [] if file is None else [_read_file(file)]
    return [*from_file, _read_environment(environ), plant(overrides, _COMMAND_LINE)]


def _read_file(file: Path) -> Tree:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: not TOML: {error}") from error
    return plant(values, Source(str(file), folder=file.absolute().parent))


def _read_environment(environ: Mapping[str, str]) -> Tree:
    tree = Tree(_ENVIRONMENT)
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        source = Source(name, is_text=True)
        if name == f"{PREFIX}PLUGINS":
            tree["plugins"] = _plugins_in_short(text, source)
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        _table(tree, tables, source)[key] = Given(text, source)
    return tree


def _table(tree: Tree, tables: Sequence[str], source: Source) -> Tree:
    for table in tables:
        below = tree.setdefault(table, Tree(source))
        if isinstance(below, Given):
            raise ConfigError(
                f"{source.name}: {below.source.name} gives {table} a value of its own"
            )
        tree = below
    return tree


def _plugins_in_short(text: str, source: Source) -> Tree:
    names = [name.strip() for name in text.split(",") if name.strip()]
    lists = {
        "enabled": [name for name in names if not name.startswith("-")],
        "disabled": [name[1:] for name in names if name.startswith("-")],
    }
    return plant({key: names for key, names in lists.items() if names}, source)


def _merged(lower: Tree, upper: Tree) -> Tree:
    merged = Tree(upper.source, lower)
    for key, node in upper.items():
        below = merged.get(key)
        if isinstance(below, Tree) and isinstance(node, Tree):
            merged[key] = _merged(below, node)
        else:
            merged[key] = node
    return merged


def _selection(layers: Iterable[Tree]) -> PluginSelection:
    chosen = PluginSelection()
    for layer in layers:
        node = layer.get("plugins", Tree(layer.source))
        said: PluginSelection = convert(PluginSelection, node, "plugins")
        named = node if isinstance(node, Tree) else {}
        disabled = tuple(name for name in chosen.disabled if name not in said.enabled)
        chosen = PluginSelection(
            enabled=said.enabled if "enabled" in named else chosen.enabled,
            disabled=said.disabled if "disabled" in named else disabled,
        )
    return chosen
