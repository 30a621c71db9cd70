"""One life of a simulated node: a real node on simulated ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from peerloom._events import Event
from peerloom._node import Node
from peerloom._store import MemoryStore, StoreNamespace
from peerloom.plugin import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anyio.abc import TaskStatus

    from peerloom._assembly import Foundation
    from peerloom._config import NetworkConfig
    from peerloom._dispatch import EventHandler
    from peerloom._runtime import Runtime
    from peerloom._store import Store

Contents = dict[str, dict[str, bytes]]


class Life:
    """A node from start to stop, in a task of the network.

    Attributes:
        node: the node.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._ending = anyio.Event()
        self._ended = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run the node until `end`."""
        try:
            async with self.node:
                task_status.started()
                await self._ending.wait()
        finally:
            self._ended.set()

    async def end(self) -> None:
        """Leave the node's block, and wait until that is done."""
        self._ending.set()
        await self._ended.wait()


class NodeOnHost(Node):
    """A node whose foundation and store are given."""

    def __init__(
        self,
        config: NetworkConfig,
        plugins: Sequence[object],
        runtime: Runtime,
        foundation: Foundation,
        kept: Contents,
    ) -> None:
        super().__init__(config, plugins=plugins, runtime=runtime)
        self._ground = foundation
        self._kept = kept

    def _foundation(self) -> Foundation:
        return self._ground

    def _open_store(self, folder: Path | None) -> Store:
        return KeptStore(self._kept) if folder is None else super()._open_store(folder)


class KeptStore(MemoryStore):
    """A store whose contents outlive it."""

    def __init__(self, contents: Contents) -> None:
        super().__init__()
        self._contents = contents

    def namespace(self, name: str) -> StoreNamespace:
        """See `Store`."""
        if name not in self._namespaces and name in self._contents:
            kept = self._contents[name]
            self._namespaces[name] = StoreNamespace(name, kept, self._changed)
        return super().namespace(name)

    def _changed(self, namespace: str, key: str) -> None:
        value = self.namespace(namespace).get(key)
        kept = self._contents.setdefault(namespace, {})
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value


class Recording:
    """The plugin that hears every event of a node."""

    info = PluginInfo("simulation")

    def __init__(self, hear: Callable[[Event], None]) -> None:
        self._hear = hear

    @hookimpl
    def peerloom_event_handlers(self) -> list[EventHandler]:
        """One handler, of everything."""
        return [Event.heard_by(self._hear)]
