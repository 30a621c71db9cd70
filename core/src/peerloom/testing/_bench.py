"""Bench: plugins that run without a node. All is real but the swarm, the clock and chance."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import anyio.lowlevel

from peerloom._background import Background
from peerloom._calls import IncomingStream
from peerloom._client import NetworkClient
from peerloom._config import NetworkConfig
from peerloom._config_file import resolve_settings
from peerloom._context import NodeServices
from peerloom._errors import PluginError
from peerloom._event_loop import EventLoop
from peerloom._events import Event
from peerloom._hookspecs import new_plugin_manager
from peerloom._metrics import Metrics
from peerloom._plugin_host import PluginHost
from peerloom._store import MemoryStore
from peerloom._swarm import Surroundings

from ._fake_peer import identity_of
from ._fake_swarm import FakeSwarm
from ._manual_runtime import ManualRuntime
from ._recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from peerloom._behaviour import InboundProtocol
    from peerloom._context import PluginContext
    from peerloom._plugins import Inventory
    from peerloom._stream import Stream

OWN_NAME: Final = "the node under test"
SETTLE_SECONDS: Final = 5.0
_TURNS: Final = 20  # before asking whether all is still: on asyncio, asking early costs 0.1 s


class Bench:
    """A loop, a host and their plugins; the swarm is a `FakeSwarm`, time moves by `advance`.

    Attributes:
        runtime: the clock.
        client: for commands and events, as a node's.
        swarm: whom it knows and what it does.
        heard: every event since before the plugins started.
        metrics: what the plugins count.
    """

    swarm: FakeSwarm
    heard: Recorder

    def __init__(
        self, inventory: Inventory, settings: Mapping[str, object] | None, *, strict: bool
    ) -> None:
        self.runtime: ManualRuntime = ManualRuntime()
        self.metrics: Metrics = Metrics()
        self._inventory = inventory
        self._settings = settings or {}
        self._loop = EventLoop(self.runtime, new_plugin_manager(), strict=strict)
        self.client: NetworkClient = NetworkClient(self._loop)
        self._around = Surroundings(self._loop.swarm_events, self._loop.announce, self._offer)
        self._around.part_failed = self._loop.part_failed
        self._stack = AsyncExitStack()
        self._host: PluginHost

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)

    @property
    def context(self) -> PluginContext:
        """What the first plugin of the bench was handed."""
        return self.context_of(self._inventory.plugins[0].name)

    def context_of(self, plugin: str) -> PluginContext:
        """What a plugin was handed in the life that it has now."""
        for scope in self._host._scopes:  # noqa: SLF001 - of the same distribution
            if scope.owner.name == plugin and scope._context is not None:  # noqa: SLF001
                return scope._context  # noqa: SLF001
        raise PluginError(f"plugin {plugin} does not run on this bench")

    def status(self, plugin: str) -> Mapping[str, Any]:
        """What `Status` says of a plugin: its state, failures and report."""
        told: Mapping[str, Any] = self._host.status()["plugins"][plugin]
        return told

    async def tell(self, event: Event) -> None:
        """Let an event happen as if core told it; returns when all has heard it."""
        await self._loop.swarm_events.put(event)
        await self.settle()

    async def advance(self, seconds: float) -> None:
        """Move time; returns when what is due by then has been done, timer after timer."""
        end = self.runtime.now() + seconds
        await self.settle()
        while (due := self._loop.timers.next_time()) is not None and due <= end:
            self.runtime.advance(max(0.0, due - self.runtime.now()))
            await self.settle()
        self.runtime.advance(end - self.runtime.now())
        await self.settle()

    async def settle(self) -> None:
        """Until the loop and every task of it waits for something."""
        with anyio.fail_after(SETTLE_SECONDS):
            while True:
                for _ in range(_TURNS):
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                if self._loop._idle():  # noqa: SLF001 - of the same distribution
                    return

    async def _start(self, stack: AsyncExitStack) -> None:
        tasks = await stack.enter_async_context(Background())
        tasks.start_soon(self._loop.run)
        stack.callback(self._loop.close)
        self.runtime.on_advance = self._loop.wake
        self.heard = stack.enter_context(Recorder(self.client, Event))
        identity = identity_of(OWN_NAME)
        others = await stack.enter_async_context(Background())
        stack.callback(others.cancel_scope.cancel)
        self.swarm = FakeSwarm(identity.peer_id, self._around, others, self.runtime)
        services = NodeServices(
            self.swarm, self.client, MemoryStore(), identity, self.runtime, self.metrics
        )
        sections = [section for one in self._inventory.plugins for section in one.sections]
        settings = resolve_settings(NetworkConfig(settings=self._settings), sections)
        self._host = PluginHost(self._inventory, self._loop, services, settings)
        self._around.gate = self._host.gate
        await stack.enter_async_context(self._host)

    def _offer(self, owner: str, protocol: InboundProtocol, stream: Stream) -> bool:
        return self._loop.incoming_streams.try_put(IncomingStream(owner, protocol, stream))
