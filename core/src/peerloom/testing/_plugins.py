"""Plugins: hosts for just the plugins that a test names; installed ones are not looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self
from unittest import mock

from peerloom import _plugins as core
from peerloom._config import ConfigSection
from peerloom._config_file import reserved_sections
from peerloom._errors import PluginError
from peerloom._hookspecs import PluginInfo, hookimpl

from ._bench import Bench

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from peerloom._hooks import PluginHooks
    from peerloom._plugins import Inventory


class Plugins:
    """Judges and runs plugins without a node; while it is open, nobody looks for installed ones."""

    def __init__(self) -> None:
        self._refusal = mock.patch.object(core, "entry_points", _refuse)

    def __enter__(self) -> Self:
        self._refusal.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._refusal.stop()

    def hooks(self, plugin: object) -> PluginHooks:
        """Judge a plugin as a node does, and give its hooks to call.

        Raises `PluginError`, which says what is wrong with it.
        """
        return load(plugin).plugins[0].hooks

    def running(
        self,
        *plugins: object,
        settings: Mapping[str, object] | None = None,
        strict: bool = True,
    ) -> Bench:
        """Run plugins, and no others: ``async with plugins.running(EchoPlugin()) as bench:``.

        Raises `PluginError` if one is broken.

        Args:
            plugins: the plugin objects.
            settings: by section name, as in `NetworkConfig`.
            strict: raise what a plugin raises, in place of isolating it and building it anew.
        """
        return Bench(load(*plugins), settings, strict=strict)

    def context(self, name: str = "unit", config: Any = None) -> Bench:
        """A bench whose ``context`` is for a behaviour alone, beside any plugin.

        Args:
            name: of the plugin that it stands for.
            config: becomes ``context.config``; an instance of a config class.
        """
        plugin = _Bystander(name, config)
        return Bench(load(plugin), {} if config is None else {plugin.section: config}, strict=True)


class _Bystander:
    """A plugin that only has a context."""

    def __init__(self, name: str, config: Any) -> None:
        self.info = PluginInfo(name)
        self.section = name.replace("-", "_")
        self._config = config

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """One for the config that it was given."""
        return [] if self._config is None else [ConfigSection(self.section, type(self._config))]


def load(*plugins: object) -> Inventory:
    """The plugins in start order, as a node loads them; raises `PluginError` if one is broken."""
    candidates = [core.given_candidate(plugin) for plugin in plugins]
    inventory = core.load_plugins(candidates, reserved_sections=reserved_sections())
    if inventory.broken:
        raise PluginError("; ".join(f"{one.name}: {one.cause}" for one in inventory.broken))
    return inventory


def _refuse(*_: object, **__: object) -> NoReturn:
    raise PluginError(
        "the fixture `plugins` looks for no installed plugins: give them by name, or use `nodes`"
    )
