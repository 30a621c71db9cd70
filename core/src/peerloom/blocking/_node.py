"""Node without `async`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from peerloom import _node

from ._client import NetworkClient
from ._portal import Backend, Portal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from multiaddr import Multiaddr

    from peerloom._client import NetworkClient as AsyncClient
    from peerloom._config import NetworkConfig
    from peerloom._libp2p import KeyPair
    from peerloom._metrics import Metrics
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime


class Node(Portal):
    """A libp2p node, running inside ``with``; for everything else see `peerloom.Node`.

    Args:
        config: how it runs; the default listens nowhere and keeps nothing.
        plugins: plugin objects beside the installed ones.
        runtime: time, chance and threads; the system's by default.
        backend: which event loop carries it.
    """

    def __init__(
        self,
        config: NetworkConfig | None = None,
        *,
        plugins: Sequence[object] = (),
        runtime: Runtime | None = None,
        backend: Backend = "asyncio",
    ) -> None:
        super().__init__(backend)
        self._node = _node.Node(config, plugins=plugins, runtime=runtime)
        self._running = ExitStack()

    @property
    def config(self) -> NetworkConfig:
        """What it was given."""
        return self._node.config

    @property
    def metrics(self) -> Metrics:
        """What it counts; ``metrics.registry()`` shows it to Prometheus."""
        return self._node.metrics

    @property
    def client(self) -> NetworkClient:
        """Commands and events."""
        return NetworkClient(self, self._node.client)

    @property
    def async_client(self) -> AsyncClient:
        """The same for async code in the node's loop, such as typed clients of plugins."""
        return self._node.client

    @property
    def identity(self) -> KeyPair:
        """The node's key pair."""
        return self._node.identity

    @property
    def peer_id(self) -> PeerId:
        """Who this node is."""
        return self._node.peer_id

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where the node listens, each address with its ``/p2p/<peer id>``."""
        return self.run(lambda: self._node.addresses)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            super().__enter__()
            stack.push(super().__exit__)
            stack.enter_context(self.enter(self._node))
            self._running = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.close()  # whatever ends the block, the node closes in good order
