"""Nodes: real nodes on 127.0.0.1, for tests that need a network but no outside."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
from attrs import define, evolve, field

from peerloom._config import NetworkConfig, PluginSelection
from peerloom._errors import PluginError, describe
from peerloom._events import PeerConnected
from peerloom._isolation import Seam
from peerloom._node import Node
from peerloom._plugins import installed_candidates

from ._recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup, TaskStatus

    from peerloom._events import Event

LOOPBACK: Final = "/ip4/127.0.0.1/tcp/0"
BENEATH: Final = {"peerloom", "anyio", "trio", "pluggy", *sys.stdlib_module_names}
LOUD: Final = ("mdns",)  # plugins that speak to whoever is near


@define(eq=False)
class _Life:
    node: Node
    started: bool = False
    failure: BaseException | None = None
    stop: anyio.Event = field(factory=anyio.Event)
    ended: anyio.Event = field(factory=anyio.Event)

    def failed(self, error: BaseException) -> None:
        if not self.started:
            raise error
        self.failure = error


class Nodes:
    """Makes nodes that live until the block ends: ``ann, ben = await nodes(2, connected=True)``.

    What raises within a node after its start is raised at the end of the block; what a plugin
    raised is then the cause of a `PluginError` that names the plugin, the node (from 1),
    and the place.
    """

    def __init__(self) -> None:
        self._lives: list[_Life] = []
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for life in self._lives:
            life.stop.set()
        await self._stack.aclose()
        failures = [
            _named(number, life.node, life.failure)
            for number, life in enumerate(self._lives, 1)
            if life.failure is not None
        ]
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BaseExceptionGroup("several nodes failed", failures)

    async def __call__(
        self,
        count: int = 1,
        *,
        plugins: Sequence[object] = (),
        connected: bool = False,
        **config: Any,
    ) -> list[Node]:
        """Start so many nodes.

        They listen on a free port of 127.0.0.1, use every installed plugin but mDNS, keep
        nothing, and are strict: what a plugin raises fails the test, and so does a plugin that
        is broken.

        Args:
            count: how many.
            plugins: plugin objects beside the installed ones; all of these nodes share them.
            connected: whether each is connected to each before they are given.
            config: fields of `NetworkConfig`; ``plugins`` is called ``selection`` here.
        """
        wanted = _config(**config)
        made = [await self._start(Node(wanted, plugins=plugins)) for _ in range(count)]
        if connected:
            for number, node in enumerate(made):
                await self.connect(node, *made[number + 1 :])
        return made

    async def connect(self, node: Node, *others: Node) -> None:
        """Let the first dial each of the others; returns when both sides know."""
        for other in others:
            with Recorder(other.client, PeerConnected) as heard:
                await node.client.dial(other.peer_id, other.addresses)
                if not await other.client.connections(node.peer_id):
                    await heard.next(PeerConnected, lambda event: event.peer == node.peer_id)

    def record(self, node: Node, *event_classes: type[Event]) -> Recorder:
        """Record a node's events from now on, until the block ends."""
        return self._stack.enter_context(Recorder(node.client, *event_classes))

    async def stop(self, node: Node) -> None:
        """Stop a node before the block ends; returns when it has stopped."""
        [life] = [life for life in self._lives if life.node is node]
        life.stop.set()
        await life.ended.wait()

    async def _start(self, node: Node) -> Node:
        life = _Life(node)
        await self._tasks.start(self._live, life)
        self._lives.append(life)
        return node

    async def _live(self, life: _Life, *, task_status: TaskStatus[None]) -> None:
        # In a task of its own: what the test cancels, or leaves open around a node, is not its.
        try:
            with Seam(life.failed):
                async with life.node:
                    _refuse_broken_plugins(life.node)
                    life.started = True
                    task_status.started()
                    await life.stop.wait()
        finally:
            life.ended.set()


def _named(number: int, node: Node, failure: BaseException) -> BaseException:
    blame = node._loop.failures.blame  # noqa: SLF001 - of the same distribution
    if blame is None:
        return failure
    named = PluginError(
        f"plugin {blame.plugin} of node {number} raised {describe(blame.error)}, in "
        f"{_place(blame.error)}{blame.where}"
    )
    named.__cause__ = failure if _others(failure, blame.error) else blame.error
    return named


def _place(error: BaseException) -> str:
    """The first function on the way to it that is the plugin's."""
    for frame, line in walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").partition(".")[0] not in BENEATH:
            code = frame.f_code
            return f"{code.co_name} ({Path(code.co_filename).name}:{line}), "
    return ""


def _others(failure: BaseException, error: BaseException) -> bool:
    """Whether it is more than that error."""
    if isinstance(failure, BaseExceptionGroup):
        return failure.split(lambda one: one is error)[1] is not None
    return failure is not error


def _config(selection: PluginSelection | None = None, **fields: Any) -> NetworkConfig:
    chosen = selection or PluginSelection()
    found = {candidate.name for candidate in installed_candidates()}
    loud = tuple(name for name in LOUD if name in found and name not in chosen.enabled)
    return NetworkConfig(
        **{"listen": (LOOPBACK,), "strict": True, **fields},
        plugins=evolve(chosen, disabled=(*chosen.disabled, *loud)),
    )


def _refuse_broken_plugins(node: Node) -> None:
    broken = node._host.status()["broken"]  # noqa: SLF001 - of the same distribution
    if broken and node.config.strict:
        raise PluginError("; ".join(f"plugin {one['name']}: {one['cause']}" for one in broken))
