"""``peerloom doctor``: what would keep a node from running well, and what to change."""

from collections import Counter
from typing import TYPE_CHECKING, Final

import typer

from ._options import AsJson, ConfigFile, DataFolder, Listen, NoPlugins, Plugins, settings_of
from ._output import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._checks import Check

_STATES: Final = ("ok", "warning", "failed")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    listen: Listen = None,
    plugin: Plugins = None,
    no_plugin: NoPlugins = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check what a node needs here, and say what to change.

    Python, packages, plugins, configuration, data folder, ports, IPv6, multicast, clock, open
    files. Exits with 1 if something failed; a warning is no failure.
    """
    from attrs import asdict

    from ._checks import all_checks

    settings = settings_of(config, data, listen, plugin, no_plugin)
    checks = []
    for check in all_checks(settings):
        checks.append(check)
        if not as_json:
            _show(check)
    if as_json:
        say_json({"checks": [asdict(check) for check in checks]})
    else:
        say(f"\n{_count(checks)}")
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(1)


def _show(check: "Check") -> None:
    width = max(map(len, _STATES))
    say(f"{check.state:{width}}  {check.subject}: {check.found}")
    if check.change:
        say(f"{'':{width}}  change: {check.change}")


def _count(checks: "Iterable[Check]") -> str:
    counted = Counter(check.state for check in checks)
    return ", ".join(f"{counted[state]} {state}" for state in _STATES)
