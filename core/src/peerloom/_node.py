"""Node: configuration in, a running libp2p node out, as one async context manager."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self

import anyio

from ._addresses import with_free_port, with_peer
from ._background import Background
from ._client import NetworkClient
from ._commands import FindPeer
from ._config import NetworkConfig
from ._context import NodeServices
from ._data_folder import hold_data_folder
from ._errors import CommandTimedOut, ListenFailed, NodeClosed, NoHandler
from ._event_loop import EventLoop
from ._events import NodeStarted
from ._hookspecs import new_plugin_manager
from ._identity import load_or_create_identity
from ._libp2p import KeyPair, load
from ._metrics import Metrics
from ._plugin_host import PluginHost
from ._runtime import SystemRuntime
from ._store import MemoryStore, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from multiaddr import Multiaddr

    from ._assembly import Foundation
    from ._behaviour import InboundProtocol
    from ._peer_id import PeerId
    from ._plugins import Inventory
    from ._runtime import Runtime
    from ._store import Store
    from ._stream import Stream
    from ._swarm import Swarm

IDENTITY_NAME: Final = "identity.key"
STORE_NAME: Final = "store.sqlite3"
_ENTER_IT: Final = "use `async with Node(...)`, or `with` where it is that of peerloom.blocking"

logger = logging.getLogger("peerloom.node")


class Node:
    """A libp2p node, running inside ``async with``, on asyncio or trio.

    When the block begins, every configured address listens or has failed (it raises `ListenFailed`
    only if none could be listened on); when it ends, every connection has been closed.

    Args:
        config: how it runs; the default listens nowhere and keeps nothing.
        plugins: plugin objects beside the installed ones.
        runtime: time, chance and threads; the system's by default.

    Attributes:
        config: what it was given.
        metrics: what it counts; ``metrics.registry()`` shows it to Prometheus.
    """

    def __init__(
        self,
        config: NetworkConfig | None = None,
        *,
        plugins: Sequence[object] = (),
        runtime: Runtime | None = None,
    ) -> None:
        self.config: NetworkConfig = config or NetworkConfig()
        self._plugins = tuple(plugins)
        self.metrics: Metrics = Metrics()
        self._given_runtime = runtime
        self._running: AsyncExitStack | None = None
        self._identity: KeyPair | None = None
        self._client: NetworkClient | None = None
        self._runtime: Runtime
        self._swarm: Swarm
        self._loop: EventLoop
        self._host: PluginHost

    @property
    def client(self) -> NetworkClient:
        """Commands and events."""
        if self._client is None:
            raise NodeClosed(f"the node has not started: {_ENTER_IT}")
        return self._client

    @property
    def identity(self) -> KeyPair:
        """The node's key pair."""
        if self._identity is None:
            raise NodeClosed(f"the node has no identity yet: {_ENTER_IT}")
        return self._identity

    @property
    def peer_id(self) -> PeerId:
        """Who this node is."""
        return self.identity.peer_id

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where the node listens, each address with its ``/p2p/<peer id>``."""
        peer = self.peer_id
        return tuple(with_peer(address, peer) for _, address in self._swarm.listen_addresses())

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise NodeClosed("this node is running already: make another one")
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._running is not None
        return await self._running.__aexit__(kind, error, traceback)

    async def _start(self, stack: AsyncExitStack) -> None:
        self._runtime = self._given_runtime or SystemRuntime.of_running_loop()
        await self._runtime.offload(load)
        folder = self.config.data_folder
        if folder is not None:
            stack.enter_context(hold_data_folder(folder))
        self._identity = await self._runtime.offload(self._load_identity)
        tasks = await stack.enter_async_context(Background())
        self._loop = EventLoop(self._runtime, new_plugin_manager(), strict=self.config.strict)
        self._client = NetworkClient(self._loop)
        tasks.start_soon(self._run_loop)
        stack.callback(self._loop.close)
        store = await stack.enter_async_context(self._open_store(folder))
        self._swarm = self._build_swarm()
        # Not by `tasks.start`, which waits for a shielded task even when it is cancelled itself.
        stack.push_async_callback(self._close_swarm)
        runs = anyio.Event()
        tasks.start_soon(self._swarm.run, runs.set)
        await runs.wait()
        await self._start_plugins(stack, store)
        await self._listen()

    def _load_identity(self) -> KeyPair:
        given, folder = self.config.identity, self.config.data_folder
        if isinstance(given, KeyPair):
            return given
        if given is not None:
            return load_or_create_identity(given)
        if folder is not None:
            return load_or_create_identity(folder / IDENTITY_NAME)
        return KeyPair.generate()

    def _open_store(self, folder: Path | None) -> Store:
        if folder is None:
            return MemoryStore()
        return SqliteStore(folder / STORE_NAME, self._runtime, self._loop.announce)

    def _build_swarm(self) -> Swarm:
        from ._assembly import build_swarm  # noqa: PLC0415 - OpenSSL is not needed before

        return build_swarm(
            self.identity,
            self.config,
            self._foundation(),
            self._runtime,
            self._loop,
            self._offer,
            self._find_peer,
        )

    def _foundation(self) -> Foundation:
        from ._assembly import Foundation  # noqa: PLC0415

        return Foundation()

    async def _start_plugins(self, stack: AsyncExitStack, store: Store) -> None:
        from ._assembly import load_inventory  # noqa: PLC0415 - imports every core plugin
        from ._config_file import resolve_settings  # noqa: PLC0415

        inventory: Inventory = load_inventory(
            self._swarm, self.config, self._foundation(), self._plugins, self._status
        )
        sections = [section for plugin in inventory.plugins for section in plugin.sections]
        services = NodeServices(
            self._swarm, self.client, store, self.identity, self._runtime, self.metrics
        )
        absent = {broken.name for broken in inventory.broken} | set(inventory.left_out)
        settings = resolve_settings(self.config, sections, absent)
        self._host = PluginHost(inventory, self._loop, services, settings)
        self._swarm.gate_with(self._host.gate)
        await stack.enter_async_context(self._host)

    async def _listen(self) -> None:
        for address in self.config.external_addresses:
            self._swarm.add_external_address(address)
        failures: list[ListenFailed] = []
        for address in self.config.listen:
            try:
                await self._listen_on(address)
            except ListenFailed as error:
                failures.append(error)
        if failures and not self._swarm.listen_addresses():
            raise failures[0]
        for failure in failures:
            logger.warning("%s", failure)
        self._loop.announce(NodeStarted())

    async def _listen_on(self, address: Multiaddr) -> None:
        try:
            await self._swarm.listen_on(address)
        except ListenFailed as error:
            if not (error.port_taken and self.config.free_port_if_taken):
                raise
            await self._swarm.listen_on(with_free_port(address))

    async def _run_loop(self) -> None:
        with anyio.CancelScope(shield=True):  # plugins and swarm need it while they stop
            await self._loop.run()

    async def _close_swarm(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._swarm.close()

    def _offer(self, owner: str, protocol: InboundProtocol, stream: Stream) -> bool:
        from ._calls import IncomingStream  # noqa: PLC0415

        return self._loop.incoming_streams.try_put(IncomingStream(owner, protocol, stream))

    async def _find_peer(self, peer: PeerId) -> Sequence[Multiaddr]:
        try:
            return await self.client.call(FindPeer(peer))
        except (NoHandler, CommandTimedOut):
            return ()

    def _status(self) -> Mapping[str, Any]:
        return {
            "peer_id": str(self.peer_id),
            "loop": self._loop.status(),
            **self._host.status(),
        }
