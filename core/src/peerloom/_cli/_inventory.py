"""What is installed as a plugin, and what becomes of each in a node of these settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from peerloom._core_plugins import CORE_PLUGINS, SWARM
from peerloom._hookspecs import PluginInfo
from peerloom._judgement import KNOWN_HOOKS
from peerloom._known_plugins import KNOWN_PLUGINS
from peerloom._plugin_order import start_order

from ._settings import inventory_of, node_candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peerloom._config_file import SelectionSources
    from peerloom._known_plugins import KnownPlugin
    from peerloom._plugins import Candidate, Inventory, LoadedPlugin

    from ._settings import Settings

State = Literal["active", "disabled", "broken"]


@frozen
class PluginRow:
    """A plugin.

    Attributes:
        name: its name.
        state: what becomes of it.
        start: its place in the start order, from 1, or None if it does not start.
        distribution: where it comes from.
        version: of the distribution.
        cause: why it is not active.
        info: what it says of itself, as far as that was asked.
        hooks: those that it implements, as far as that was asked.
    """

    name: str
    state: State
    start: int | None
    distribution: str
    version: str
    cause: str = ""
    info: PluginInfo | None = None
    hooks: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        if self.name in CORE_PLUGINS and self.distribution == "peerloom":
            return "peerloom itself"
        return f"{self.distribution} {self.version}".rstrip()


@frozen
class Installed:
    """Every plugin.

    Attributes:
        rows: the active ones in start order, then the disabled, then the broken.
        mistyped: names that are disabled although no plugin has them, with what was meant.
    """

    rows: tuple[PluginRow, ...]
    mistyped: dict[str, str]

    def could_be_added(self) -> tuple[KnownPlugin, ...]:
        """Those of ours that are not installed."""
        return tuple(one for one in self._missing() if not one.to_come)

    def to_come(self) -> tuple[KnownPlugin, ...]:
        """Those of ours that are still to be written."""
        return tuple(one for one in self._missing() if one.to_come)

    def _missing(self) -> Iterator[KnownPlugin]:
        names = {row.name for row in self.rows}
        return (one for one in KNOWN_PLUGINS if one.name not in names)


def installed_plugins(settings: Settings) -> Installed:
    """Load and judge them as a node would; raises `ConfigError`."""
    candidates, selection = node_candidates(settings.selection())
    inventory = inventory_of(candidates, selection)
    rows = (
        *_active(inventory),
        *_disabled(candidates, selection.left_out, settings.selection_sources()),
        *_broken(inventory),
    )
    return Installed(rows, dict(selection.unknown))


def _active(inventory: Inventory) -> Iterator[PluginRow]:
    loaded = {one.name: one for one in inventory.plugins}
    order, _ = start_order([*(one.info for one in loaded.values()), PluginInfo(SWARM)])
    for start, name in enumerate(order, 1):
        yield _swarm(start) if name == SWARM else _row(loaded[name], start)


def _row(one: LoadedPlugin, start: int) -> PluginRow:
    hooks = tuple(hook for hook in KNOWN_HOOKS if hook in one.hooks)
    return PluginRow(
        one.name, "active", start, one.distribution, one.version, info=one.info, hooks=hooks
    )


def _swarm(start: int) -> PluginRow:
    """The one that cannot be built without a node; to ask its class is slow."""
    from peerloom._plugins import core_candidate

    version = core_candidate(SWARM).version
    return PluginRow(SWARM, "active", start, "peerloom", version, info=PluginInfo(SWARM))


def _disabled(
    candidates: Iterable[Candidate], left_out: Iterable[str], sources: SelectionSources
) -> Iterator[PluginRow]:
    for one in candidates:
        if one.name in left_out:
            by = sources.disabled.get(one.name)
            cause = f"disabled by {by}" if by else f"not among those that {sources.enabled} enables"
            yield PluginRow(one.name, "disabled", None, one.distribution, one.version, cause)


def _broken(inventory: Inventory) -> Iterator[PluginRow]:
    for one in inventory.broken:
        yield PluginRow(one.name, "broken", None, one.distribution, one.version, one.cause)
