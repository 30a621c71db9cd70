"""NoHandler, with the advice that goes with it: which plugin would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._commands import AddPeerAddresses, Command, FindPeer, Perf, Ping
from ._errors import NoHandler
from ._known_plugins import is_installed, known_plugin, plugin_of_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._dispatch import CommandTable
    from ._known_plugins import KnownPlugin

_OF_CORE: Final[Mapping[type[Command[Any]], str]] = {
    AddPeerAddresses: "discovery",
    Perf: "perf",
    Ping: "ping",
}
_SHARED: Final[Mapping[type[Command[Any]], str]] = {FindPeer: "kad"}


def nobody_answers(command_class: type[Command[Any]], table: CommandTable) -> NoHandler:
    """The error for a command that no active plugin answers."""
    return NoHandler(f"{command_class.__name__} is answered by {_advice(command_class, table)}")


def _advice(command_class: type[Command[Any]], table: CommandTable) -> str:
    former = table.former_owner(command_class)
    if former is not None:
        return (
            f"plugin {former}, but it has failed and is out of service or about to be built anew; "
            "the node's status says which"
        )
    if command_class in _OF_CORE:
        return f"core's plugin {_OF_CORE[command_class]}, which is not active: enable it"
    package = command_class.__module__.partition(".")[0]
    known = known_plugin(_SHARED.get(command_class, "")) or plugin_of_package(package)
    if known is not None:
        return _advice_on(known)
    if package == "peerloom":
        return "core's plugin swarm, once the node has started"
    return (
        f"the plugin of its module {command_class.__module__}, and no active plugin does that: "
        "install or enable it; `peerloom plugins` lists what there is"
    )


def _advice_on(known: KnownPlugin) -> str:
    if is_installed(known.distribution):
        return f"{known.distribution}, which is not active here: `peerloom plugins` says why"
    return known.remedy
