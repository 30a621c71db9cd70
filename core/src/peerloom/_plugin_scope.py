"""PluginScope: supervises a plugin's lives, one after another, until it is stopped."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import anyio
from attrs import frozen

from ._context import PluginContext
from ._dispatch import Reply
from ._errors import PluginError, describe
from ._handler_judgement import judge_handlers
from ._isolation import Seam, without_exit
from ._plugin_life import Failure, Parts, PluginLife
from ._restart import FAILURES_TO_STOP, RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._context import NodeServices
    from ._dispatch import Owner
    from ._event_loop import EventLoop
    from ._isolation import Strikes
    from ._plugins import LoadedPlugin

State = Literal["starting", "running", "stopping", "waiting", "stopped", "failed"]


@frozen
class ScopeBounds:
    """How long a plugin's lifespan may take to enter and to leave."""

    enter_seconds: float = 10.0
    leave_seconds: float = 2.0


@frozen(eq=False)
class ScopeServices:
    """What the scopes of a node share.

    `check` is asked before a plugin's parts are put into service; it raises `PluginError`.
    """

    loop: EventLoop
    services: NodeServices
    strikes: Strikes
    check: Callable[[Owner, Parts], None]
    bounds: ScopeBounds


class PluginScope:
    """One plugin of a running node.

    Attributes:
        plugin: what was loaded.
        owner: the plugin as the tables know it.
        state: whether it is starting, running, being left, waiting to be built anew, stopped on
            purpose, or failed for good.
        protocols: the protocol ids that it accepts at present.
        tried: set once its first life runs or has failed.
    """

    def __init__(
        self, plugin: LoadedPlugin, owner: Owner, config: Any, shared: ScopeServices
    ) -> None:
        self.plugin = plugin
        self.owner = owner
        self.state: State = "starting"
        self.protocols: frozenset[str] = frozenset()
        self.tried = anyio.Event()
        self._config = config
        self._shared = shared
        self._loop = shared.loop
        self._policy = RestartPolicy()
        self._life: PluginLife | None = None
        self._context: PluginContext | None = None
        self._pause: Reply[None] = Reply()
        self._entering: anyio.CancelScope | None = None
        self._where = ""
        self._stopping = False
        self._failures = 0
        self._cause: str | None = None
        self._finished = anyio.Event()

    async def run(self) -> None:
        """Live until stopped or failed for good; being cancelled is left to `stop`."""
        try:
            with anyio.CancelScope(shield=True):  # so that plugins are left in reverse order
                await self._live_on()
        finally:
            self.tried.set()
            self._finished.set()

    async def stop(self) -> None:
        """End its life and wait until it has been left; that is bounded."""
        self._stopping = True
        self._pause.set(None)
        if self._life is not None:
            self._life.end()
        if self._entering is not None:
            self._entering.cancel()
        await self._finished.wait()

    def status(self) -> Mapping[str, Any]:
        """What `Status` says of it."""
        told: dict[str, Any] = {
            "state": self.state,
            "distribution": self.plugin.distribution,
            "version": self.plugin.version,
            "failures": self._failures,
            "cause": self._cause,
        }
        if self.state == "running" and self._context is not None:
            with Seam(partial(self._loop.failures.report, self.owner, "hook peerloom_status")):
                told["report"] = self.plugin.hooks.status(self._context)
        return told

    async def _live_on(self) -> None:
        while not self._stopping:
            failure = await self._live()
            self.tried.set()
            if failure is not None:
                await self._recover(failure)

    async def _live(self) -> Failure | None:
        """One life; gives why it failed, or None when it was ended on purpose."""
        self.state = "starting"
        shared = self._shared
        async with anyio.create_task_group() as tasks:
            life = PluginLife(self.owner, self._loop, shared.services.swarm, shared.strikes, tasks)
            self._life = life
            try:
                with Seam(partial(self._lost, life)):
                    await self._build_and_run(life)
            finally:
                life.close()
                self._life = self._context = None
                self.protocols = frozenset()
                self.state = "stopped"
        return life.failure

    async def _build_and_run(self, life: PluginLife) -> None:
        hooks = self.plugin.hooks
        context = PluginContext(self.owner.name, self._config, self._shared.services, life)
        self._where = "hook peerloom_setup"
        hooks.setup(context)
        parts = self._collect(context)
        self._where = "taking its place in the node"
        judge_handlers(self.owner, parts.event_handlers, parts.command_handlers)
        self._shared.check(self.owner, parts)
        life.install(parts)
        self.protocols = parts.protocols
        self._where = "hook peerloom_lifespan"
        lifespan = hooks.lifespan(context)
        self._context = context
        await self._within(lifespan or nullcontext(), life)

    def _collect(self, context: PluginContext) -> Parts:
        hooks = self.plugin.hooks
        self._where = "hook peerloom_behaviours"
        behaviours = hooks.behaviours(context)
        self._where = "hook peerloom_transports"
        transports = hooks.transports(context)
        self._where = "hook peerloom_event_handlers"
        event_handlers = hooks.event_handlers(context)
        self._where = "hook peerloom_command_handlers"
        command_handlers = hooks.command_handlers(context)
        return Parts(self.plugin.plugin, behaviours, transports, event_handlers, command_handlers)

    async def _within(self, lifespan: AbstractAsyncContextManager[None], life: PluginLife) -> None:
        bounds = self._shared.bounds
        # One scope around all of it: a scope of its own for entering could not be left while
        # one that the lifespan has opened is still open.
        with anyio.CancelScope(deadline=anyio.current_time() + bounds.enter_seconds) as bound:
            self._where, self._entering = "entering its lifespan", bound
            async with lifespan:
                self._entering = None
                bound.deadline = inf
                self._where = "its lifespan"
                self.state = "running"
                self.tried.set()
                try:
                    await life.wait_until_ending()
                finally:
                    self.state = "stopping"
                    self._where = "leaving its lifespan"
                    bound.deadline = anyio.current_time() + bounds.leave_seconds
                    bound.shield = True
        self._entering = None
        if bound.cancelled_caught and not self._stopping:
            raise TimeoutError("it took too long")

    def _lost(self, life: PluginLife, error: BaseException) -> None:
        """Building it, or its lifespan, raised."""
        failure = Failure(self._where, error, final=isinstance(error, PluginError))
        self._loop.failures.raise_if_strict(self.owner, self._where, without_exit(error))
        if not life.end(failure):
            self._loop.failures.report(
                self.owner, failure.where, error, consequence="it was being left anyway"
            )

    async def _recover(self, failure: Failure) -> None:
        """Tell of the failure, then wait until it is time for another life, or stop for good."""
        now = self._loop.runtime.now()
        wait = None if failure.final else self._policy.failed(now)
        self._failures += 1
        self._cause = f"{failure.where}: {describe(without_exit(failure.error))}"
        if self._stopping:
            self._tell(failure, "it was being stopped")
            return
        if wait is None:
            self._give_up(failure)
            return
        self.state = "waiting"
        self._tell(failure, f"the node goes on, and the plugin is built anew in {wait:g} s")
        self._pause = Reply()
        timer = self._loop.wake_at(now + wait, partial(self._pause.set, None), "restart")
        try:
            await self._pause.wait()
        finally:
            timer.cancel()

    def _give_up(self, failure: Failure) -> None:
        self._stopping = True
        self.state = "failed"
        reason = "" if failure.final else f" after {FAILURES_TO_STOP} failures within ten minutes"
        self._tell(failure, f"the node goes on without the plugin{reason}", stopped=True)

    def _tell(self, failure: Failure, consequence: str, *, stopped: bool = False) -> None:
        self._loop.failures.report(
            self.owner,
            failure.where,
            failure.error,
            consequence=consequence,
            stopped=stopped,
        )
