"""Whether the installed plugins can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._cli._inventory import installed_plugins
from peerloom._core_plugins import CORE_PLUGINS
from peerloom._errors import ConfigError
from peerloom._hookspecs import API_LEVEL, OLDEST_API_LEVEL

from ._check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom._cli._inventory import Installed, PluginRow
    from peerloom._cli._settings import Settings

_SUBJECT: Final = "plugins"


def check_plugins(settings: Settings) -> Iterator[Check]:
    """The levels of the plugin interface that they are written for; and each that is broken."""
    try:
        settings.selection()
    except ConfigError as error:
        yield Check.failed(_SUBJECT, str(error), "mend that; then they can be looked at")
        return
    try:
        installed = installed_plugins(settings)
    except ConfigError as error:
        yield Check.failed(_SUBJECT, str(error), "install it, or do not enable it")
        return
    yield _check_levels(installed)
    for name, meant in installed.mistyped.items():
        found = f"{name} is disabled, but there is no such plugin"
        yield Check.warning(_SUBJECT, found, f"write another name: {meant}")
    for row in installed.rows:
        if row.state == "broken":
            yield _broken(row)


def _check_levels(installed: Installed) -> Check:
    offered = f"interface levels {OLDEST_API_LEVEL} to {API_LEVEL} are offered"
    others = [row for row in installed.rows if row.start and row.name not in CORE_PLUGINS]
    used = [f"{row.name} is of level {row.info.api}" for row in others if row.info]
    return Check.ok(_SUBJECT, ", ".join([offered, *used] if used else [offered, "none is used"]))


def _broken(row: PluginRow) -> Check:
    return Check.failed(
        f"plugin {row.name}",
        f"{row.origin}: {row.cause}",
        f"upgrade or mend it, or pip uninstall {row.distribution}; until then nodes run without it",
    )
