"""PluginHost: starts a node's plugins, keeps them running, and stops them."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import anyio

from ._background import Background
from ._dispatch import Owner
from ._errors import PluginError
from ._events import PluginFailed
from ._isolation import Seam, Strikes
from ._plugin_scope import PluginScope, ScopeBounds, ScopeServices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from anyio.abc import TaskGroup
    from multiaddr import Multiaddr

    from ._behaviour import GateStage
    from ._context import NodeServices
    from ._event_loop import EventLoop
    from ._peer_id import PeerId
    from ._plugin_life import Parts
    from ._plugin_scope import State
    from ._plugins import Inventory, LoadedPlugin

_log = logging.getLogger("peerloom.plugins")

_ABSENT: Final[Mapping[State, str]] = {  # what a plugin that does not run is doing
    "starting": "it is starting",
    "stopping": "it is being stopped",
    "waiting": "it failed and is being restarted",
    "stopped": "it has stopped",
    "failed": "it failed and stays stopped; disable it to do without",
}


class PluginHost:
    """The plugins of one node: ``async with host:`` starts them in order, stops them in reverse.

    The event loop must be running. A plugin that fails never fails the block, unless strict.
    """

    def __init__(
        self,
        inventory: Inventory,
        loop: EventLoop,
        services: NodeServices,
        settings: Mapping[str, Any],
        bounds: ScopeBounds | None = None,
    ) -> None:
        """Take what was loaded, and the settings by section name; missing ones are defaults."""
        self._inventory = inventory
        self._loop = loop
        shared = ScopeServices(
            loop, services, Strikes(), self._check_protocols, bounds or ScopeBounds()
        )
        self._scopes = [
            PluginScope(one, Owner(one.name, one.label, rank), _config_of(one, settings), shared)
            for rank, one in enumerate(inventory.plugins)
        ]
        self._gates = [scope for scope in self._scopes if "peerloom_gate" in scope.plugin.hooks]
        self._started: list[PluginScope] = []
        self._background = Background()
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        self._tasks = await self._background.__aenter__()
        try:
            await self._start()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        try:
            with anyio.CancelScope(shield=True):
                await self._stop()
        finally:
            swallowed = await self._background.__aexit__(kind, error, traceback)
        return swallowed

    def gate(self, stage: GateStage, peer: PeerId | None, address: Multiaddr) -> str | None:
        """Why a plugin refuses a connection, or None; a gate that cannot be asked refuses all."""
        for scope in self._gates:
            reason = self._ask(scope, stage, peer, address)
            if reason is not None:
                return reason
        return None

    def status(self) -> Mapping[str, Any]:
        """Each plugin's state and what it reports; those that are broken, and those left out."""
        return {
            "plugins": {scope.owner.name: scope.status() for scope in self._scopes},
            "broken": [
                {
                    "name": one.name,
                    "distribution": one.distribution,
                    "version": one.version,
                    "cause": one.cause,
                }
                for one in self._inventory.broken
            ],
            "left_out": dict(self._inventory.left_out),
        }

    async def _start(self) -> None:
        for scope in self._scopes:
            self._started.append(scope)
            self._tasks.start_soon(scope.run)
            await scope.tried.wait()
        for broken in self._inventory.broken:
            _log.warning("%s", broken)
            self._loop.announce(
                PluginFailed(broken.name, "loading", PluginError(str(broken)), stopped=True)
            )

    async def _stop(self) -> None:
        for scope in reversed(self._started):
            await scope.stop()

    def _ask(
        self, scope: PluginScope, stage: GateStage, peer: PeerId | None, address: Multiaddr
    ) -> str | None:
        if scope.state != "running":
            return f"the gate of plugin {scope.owner.label} is closed: {_ABSENT[scope.state]}"
        with Seam(partial(self._loop.failures.report, scope.owner, "hook peerloom_gate")):
            return scope.plugin.hooks.gate(stage, peer, address)
        return f"the gate of plugin {scope.owner.name} failed"

    def _check_protocols(self, owner: Owner, parts: Parts) -> None:
        for scope in self._scopes:
            taken = sorted(scope.protocols & parts.protocols)
            if taken and scope.owner is not owner:
                raise PluginError(
                    f"plugin {owner.label} accepts the protocol {taken[0]}, which plugin "
                    f"{scope.owner.label} accepts already: leave one of the two out"
                )


def _config_of(plugin: LoadedPlugin, settings: Mapping[str, Any]) -> Any:
    configs = {
        section.name: settings[section.name] if section.name in settings else section.config_class()
        for section in plugin.sections
    }
    return next(iter(configs.values()), None) if len(configs) < 2 else configs
