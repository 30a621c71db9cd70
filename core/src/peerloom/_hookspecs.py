"""The hooks that a plugin may implement, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pluggy
from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from multiaddr import Multiaddr

    from ._behaviour import Behaviour, GateStage
    from ._config import ConfigSection
    from ._context import PluginContext
    from ._dispatch import CommandHandler, EventHandler, Handler
    from ._links import Transport
    from ._peer_id import PeerId

PROJECT: Final = "peerloom"
ENTRY_POINT_GROUP: Final = "peerloom.plugins"

API_LEVEL: Final = 1
"""The level of the plugin interface that this version has.

`PluginInfo` says which one a plugin was written for. It grows when plugins must change: one that
asks for a higher level, or for one that is no longer supported, is listed as broken, and the node
starts without it.
"""

OLDEST_API_LEVEL: Final = 1

hookimpl: Final = pluggy.HookimplMarker(PROJECT)
"""Marks a method of a plugin as one of the `Hooks`: write ``@hookimpl`` above it.

What is not marked is never called. ``@hookimpl(wrapper=True)`` is for `peerloom_dispatch`: the
method yields once, and everybody else's part runs there.
"""

_hookspec = pluggy.HookspecMarker(PROJECT)


class _PluginManager(pluggy.PluginManager):
    """pluggy looks closely at every attribute of a plugin, and most are those of any object."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """The options of a hook implementation, or None where there is none."""
        return None if name.startswith("__") else super().parse_hookimpl_opts(plugin, name)


def new_plugin_manager() -> pluggy.PluginManager:
    """A pluggy manager that knows the hooks and has no plugins."""
    manager = _PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager


def _names(value: Any) -> frozenset[str]:
    return frozenset((value,)) if isinstance(value, str) else frozenset(value)


def _ordered_names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@frozen
class PluginInfo:
    """What a plugin says of itself; the attribute `info` of its object.

    Attributes:
        name: its name: the entry point's, the word for ``--plugin`` and for `ctx.name`.
        api: the level of the plugin interface that it was written for.
        requires: capabilities that another active plugin must provide.
        provides: capabilities that it provides, such as ``peer-discovery``, ``peer-routing``,
            ``content-routing``, ``pubsub``, ``relay``, ``hole-punching``, ``streams``.
        after: capabilities whose providers, where there are any, start before it.
        exclusive: capabilities of which it must be the only provider.
    """

    name: str
    api: int = API_LEVEL
    requires: frozenset[str] = field(default=frozenset(), converter=_names)
    provides: frozenset[str] = field(default=frozenset(), converter=_names)
    after: tuple[str, ...] = field(default=(), converter=_ordered_names)
    exclusive: frozenset[str] = field(default=frozenset(), converter=_names)


class Hooks:
    """Every hook: implement the ones that you need, with any of the arguments, by their names.

    All of them are plain functions and are called once each time the plugin is built (`ctx` is
    new each time), except where noted. A hook that raises fails its plugin, never the node.

    One process cannot be guarded against plain code that never returns, tasks that shield
    themselves from cancellation and never end, and crashes in C.
    """

    @_hookspec
    def peerloom_config_sections(self) -> Sequence[ConfigSection]:  # type: ignore[empty-body]
        """The plugin's settings; asked before any node exists.

        Give a `ConfigSection` for each section: its name and a frozen attrs class whose fields all
        have defaults. What the user set becomes `ctx.config`.
        """

    @_hookspec
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """The first call: build the plugin's state anew.

        `ctx` is what the plugin may use of the node. Keep the state by `ctx`, since one plugin
        object serves all nodes of a process, and each of them each time that it is built anew.
        """

    @_hookspec
    def peerloom_behaviours(self, ctx: PluginContext) -> Sequence[Behaviour]:  # type: ignore[empty-body]
        """The protocols that it accepts from others, addresses that it knows, what it holds.

        Give `Behaviour` objects; the `protocols` of each say by which async function the streams
        that others open are served.
        """

    @_hookspec
    def peerloom_transports(self, ctx: PluginContext) -> Sequence[Transport]:  # type: ignore[empty-body]
        """Further ways to dial and to listen.

        Give `Transport` objects; each says which addresses it handles.
        """

    @_hookspec
    def peerloom_event_handlers(self, ctx: PluginContext) -> Sequence[EventHandler]:  # type: ignore[empty-body]
        """What it hears: ``[PeerConnected.heard_by(self._on_connected)]``, plain functions.

        Each takes the event, and must return at once: start longer work with `ctx.spawn`.
        """

    @_hookspec
    def peerloom_command_handlers(self, ctx: PluginContext) -> Sequence[CommandHandler]:  # type: ignore[empty-body]
        """What it answers: ``[Ping.handled_by(self._ping)]``, plain functions or async ones.

        Each takes the command and returns its answer; what it raises is raised where the command
        was called. A command has one handler in a node.
        """

    @_hookspec
    def peerloom_lifespan(self, ctx: PluginContext) -> AbstractAsyncContextManager[None]:  # type: ignore[empty-body]
        """What is open while the plugin runs; entered within 10 s, left within 2 s.

        Give an async context manager, as a function under `contextlib.asynccontextmanager` does.
        It is entered after the hooks above were called, and left when the plugin stops.
        """

    @_hookspec(firstresult=True)
    def peerloom_gate(
        self, stage: GateStage, peer: PeerId | None, address: Multiaddr
    ) -> str | None:
        """Refuse a dial or a connection by giving the reason; called for each of them.

        While the plugin is not in service (it starts, is built anew, or failed for good) all are
        refused: whoever wants to do without its gate disables it.
        """

    @_hookspec(firstresult=True)
    def peerloom_dispatch(self, item: object, handlers: Sequence[Handler]) -> bool | None:
        """Tap: called for each item of the loop; only as ``@hookimpl(wrapper=True)``.

        The item is an `Event`, a `Call` (its `command`), a `Timer` or an `IncomingStream`.
        """

    @_hookspec
    def peerloom_status(self, ctx: PluginContext) -> Mapping[str, Any]:  # type: ignore[empty-body]
        """What `Status` shall say of the plugin; called whenever somebody asks.

        Give a mapping of names to what JSON can hold; it becomes the plugin's ``report``.
        """

    @_hookspec
    def peerloom_cli(self, app: Any) -> None:
        """Add commands to the command line (a typer app); no node exists then.

        Decorate a function by ``@app.command("word")`` within. It may start a node of its own:
        `peerloom.cli` has the options for that, and the node.
        """
