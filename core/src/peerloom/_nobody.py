"""NoHandler, with the advice that goes with it: which plugin would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._commands import AddPeerAddresses, Command, FindPeer, Perf, Ping
from ._errors import NoHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._dispatch import CommandTable

_ANSWERED_BY: Final[Mapping[type[Command[Any]], str]] = {
    AddPeerAddresses: "core's plugin discovery answers it: enable it",
    Perf: "core's plugin perf answers it: enable it",
    Ping: "core's plugin ping answers it: enable it",
    FindPeer: "a plugin with the capability peer-routing answers it: install peerloom-kad",
}


def nobody_answers(command_class: type[Command[Any]], table: CommandTable) -> NoHandler:
    """The error for a command that no active plugin answers."""
    return NoHandler(f"nobody answers {command_class.__name__}: {_advice(command_class, table)}")


def _advice(command_class: type[Command[Any]], table: CommandTable) -> str:
    former = table.former_owner(command_class)
    if former is not None:
        return (
            f"plugin {former} does, but it has failed and is out of service or about to be built "
            "anew; the node's status says which"
        )
    known = _ANSWERED_BY.get(command_class)
    if known is not None:
        return known
    package = command_class.__module__.partition(".")[0]
    if package == "peerloom":
        return "core's plugin swarm answers it, once the node has started"
    return f"the plugin in the package {package} is expected to; install or enable it"
