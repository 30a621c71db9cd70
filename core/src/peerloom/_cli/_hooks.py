"""``peerloom hooks``: which there are, who implements them, and what each is for."""

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import AsJson, ConfigFile, DataFolder, NoPlugins, Plugins, settings_of
from ._output import say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._settings import Settings

HookName = Annotated[
    str | None, typer.Argument(metavar="HOOK", help="Tell all about this one hook.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("hooks")(hooks)


def hooks(
    hook: HookName = None,
    plugin: Plugins = None,
    no_plugin: NoPlugins = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the hooks, and the plugins that implement each.

    Plugins stand in the order in which they start. With the name of a hook: what it is for, and
    what it takes and gives.
    """
    implementers = _implementers(settings_of(config, data, None, plugin, no_plugin))
    names = list(implementers) if hook is None else [_full_name(hook, implementers)]
    if as_json:
        say_json({"hooks": [_record(name, implementers[name]) for name in names]})
    elif hook is None:
        say_table(
            ("HOOK", "IMPLEMENTED BY"), *((name, _names(implementers[name])) for name in names)
        )
    else:
        _describe(names[0], implementers[names[0]])


def _implementers(settings: "Settings") -> "Mapping[str, Sequence[str]]":
    from peerloom._core_plugins import SWARM
    from peerloom._judgement import KNOWN_HOOKS, implemented_hooks
    from peerloom._swarm._plugin import SwarmPlugin

    from ._inventory import installed_plugins

    active = {row.name: row.hooks for row in installed_plugins(settings).rows if row.start}
    active[SWARM] = implemented_hooks(SwarmPlugin)
    return {hook: [name for name, its in active.items() if hook in its] for hook in KNOWN_HOOKS}


def _full_name(hook: str, known: "Mapping[str, object]") -> str:
    from peerloom._judgement import no_such_hook

    name = hook if hook.startswith("peerloom_") else f"peerloom_{hook}"
    if name not in known:
        raise no_such_hook(name)
    return name


def _record(name: str, implementers: "Sequence[str]") -> dict[str, Any]:
    return {
        "hook": name,
        "arguments": list(_signature(name).parameters),
        "documentation": inspect.getdoc(_spec(name)),
        "implemented_by": implementers,
    }


def _describe(name: str, implementers: "Sequence[str]") -> None:
    say(f"{name}{_signature(name)}\n".replace("'", ""))  # annotations are text in that module
    say(f"{inspect.getdoc(_spec(name))}\n")
    say(f"Implemented by {_names(implementers)}.")


def _signature(name: str) -> inspect.Signature:
    signature = inspect.signature(_spec(name))
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    return signature.replace(parameters=parameters)


def _names(implementers: "Sequence[str]") -> str:
    return ", ".join(implementers) or "nobody"


def _spec(name: str) -> Any:
    from peerloom._hookspecs import Hooks

    return getattr(Hooks, name)
