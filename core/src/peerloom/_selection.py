"""select_plugins: which of the installed plugins a node uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ._errors import ConfigError
from ._known_plugins import KNOWN_PLUGINS, name_advice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ._config import PluginSelection


@frozen
class Selection:
    """The outcome.

    Attributes:
        active: names of the plugins to use, sorted.
        left_out: each name that is installed and not used, with the reason.
        unknown: each name that is switched off although no plugin has it, with what was meant.
    """

    active: tuple[str, ...]
    left_out: Mapping[str, str]
    unknown: Mapping[str, str]


def select_plugins(
    available: Collection[str],
    wanted: PluginSelection,
    *,
    core: Collection[str] = (),
    required: Collection[str] = ("swarm",),
) -> Selection:
    """Choose from the plugins that are installed, by what the configuration says in the end.

    Without a word all of them are used. `wanted.enabled`, where it names any, leaves out all
    others but core's own; `wanted.disabled` leaves out whatever it names, and wins. What the
    file, ``PEERLOOM_PLUGINS`` and the command line said has become `wanted` before, the later
    winning over the earlier.

    Raises `ConfigError` if a plugin that is enabled is not installed, or if one that is required
    is disabled.

    Args:
        available: names of all that are installed, core's own included.
        wanted: the section ``[plugins]``.
        core: names of core's own plugins; only disabling them leaves them out.
        required: names without which a node is none.
    """
    for name in wanted.enabled:
        if name not in available:
            raise ConfigError(
                f"plugins: {name} is enabled, but not installed; {name_advice(name, available)}"
            )
    for name in wanted.disabled:
        if name in required:
            raise ConfigError(f"plugins: {name} is disabled, but a node cannot do without it")
    left_out = dict.fromkeys(_unnamed(available, wanted, core), "not among the enabled ones")
    left_out |= dict.fromkeys(wanted.disabled, "disabled")
    return Selection(
        tuple(sorted(frozenset(available) - left_out.keys())),
        {name: left_out[name] for name in sorted(left_out.keys() & frozenset(available))},
        {name: name_advice(name, available) for name in sorted(_nobodys(available, wanted))},
    )


def _nobodys(available: Collection[str], wanted: PluginSelection) -> frozenset[str]:
    ours = {one.name for one in KNOWN_PLUGINS}
    return frozenset(wanted.disabled) - frozenset(available) - ours


def _unnamed(
    available: Iterable[str], wanted: PluginSelection, core: Collection[str]
) -> frozenset[str]:
    if not wanted.enabled:
        return frozenset()
    return frozenset(available) - frozenset(wanted.enabled) - frozenset(core)
