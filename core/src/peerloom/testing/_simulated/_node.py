"""SimulatedNode: a real node on a simulated host, which can crash and come back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import anyio
from attrs import evolve

from peerloom._assembly import Foundation
from peerloom._errors import NodeClosed, PluginError
from peerloom._known_plugins import name_advice
from peerloom._libp2p import KeyPair
from peerloom._plugins import installed_candidates

from ._life import Contents, Life, NodeOnHost, Recording
from ._plain_security import Plain
from ._runtime import BEGIN_OF_TIME, SimulatedRuntime
from ._tcp import SimulatedTcp
from ._udp import bind_udp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from multiaddr import Multiaddr

    from peerloom._client import NetworkClient
    from peerloom._config import NetworkConfig
    from peerloom._endpoint import ConnectionInfo
    from peerloom._events import Event
    from peerloom._node import Node
    from peerloom._peer_id import PeerId
    from peerloom._plugins import Candidate
    from peerloom._subscriptions import Subscription

    from ._places import Host, Nat
    from ._world import World

E = TypeVar("E", bound="Event")

PORT: Final = 4001  # where nodes listen unless told otherwise

_ALL_PLAIN: Final = {"tls": Plain, "noise": Plain}


def installed_plugins(names: Iterable[str]) -> tuple[Candidate, ...]:
    """Those of such names; raises `PluginError`."""
    installed = {one.name: one for one in installed_candidates()}
    wanted = tuple(names)
    for name in wanted:
        if name not in installed:
            raise PluginError(f"no plugin {name} is installed; {name_advice(name, installed)}")
    return tuple(installed[name] for name in wanted)


class SimulatedNode:
    """A node of a `SimulatedNetwork`, made by its `node` or `start`.

    Use it in ``async with``, or call `start` and leave the end to the network.

    Attributes:
        name: what the log and the network call it.
        identity: its key pair, which follows from the network's seed and the name.
        clock_offset_seconds: by how much its wall clock is fast; set it at any time.
        nat: the NAT that it is behind, or None.
        ip: its machine's address, a private one behind a NAT.
    """

    def __init__(  # noqa: PLR0913 - used by `SimulatedNetwork.node` only
        self,
        world: World,
        name: str,
        host: Host,
        *,
        nat: Nat | None,
        plugins: Sequence[object],
        config: NetworkConfig,
        clock_offset_seconds: float,
    ) -> None:
        self.name = name
        self.nat = nat
        self.ip: str = host.ip
        self._host = host
        self.clock_offset_seconds = clock_offset_seconds
        self.identity: KeyPair = KeyPair.from_seed(world.chance.key_seed(name))
        self._world = world
        self._plugins = tuple(one for one in plugins if not isinstance(one, str))
        self._installed = installed_plugins(one for one in plugins if isinstance(one, str))
        self._config = evolve(config, identity=self.identity)
        self._kept: Contents = {}
        self._lives = 0
        self._life: Life | None = None

    def __repr__(self) -> str:
        return f"<SimulatedNode {self.name} at {self._host.ip}>"

    @property
    def peer_id(self) -> PeerId:
        """Who it is, also before it starts."""
        return self.identity.peer_id

    @property
    def running(self) -> bool:
        """Whether it has started and has neither stopped nor crashed."""
        return self._life is not None

    @property
    def node(self) -> Node:
        """The node that runs; raises `NodeClosed` unless one does."""
        if self._life is None:
            raise NodeClosed(f"{self.name} does not run")
        return self._life.node

    @property
    def client(self) -> NetworkClient:
        """The running node's commands and events."""
        return self.node.client

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where it listens, each address with its peer id: private ones behind a NAT."""
        return self.node.addresses

    def wall_time(self) -> float:
        """Seconds since 1970, as its wall clock shows them."""
        return BEGIN_OF_TIME + self._world.now + self.clock_offset_seconds

    async def start(self) -> Self:
        """Start it; every address listens when it returns."""
        if self._life is not None:
            raise NodeClosed(f"{self.name} runs already")
        self._lives += 1
        self._world.write(self.name, "starts")
        self._host.up = True
        self._life = Life(self._build())
        try:
            await self._world.tasks.start(self._life.run)
        except BaseException:
            self._life = None
            self._host.up = False
            raise
        return self

    async def stop(self) -> None:
        """Stop it in good order, with a goodbye on its connections; its machine stays on."""
        await self._running_life().end()
        self._life = None
        self._world.write(self.name, "has stopped")

    async def crash(self, *, silently: bool = True) -> None:
        """Stop it at once, without a goodbye on any connection.

        Others notice by their timeouts, as when power fails. Unless `silently`, only its process
        dies: the machine resets its connections, and refuses new ones. What was put into its store
        is kept.
        """
        life, self._life = self._running_life(), None
        self._world.write(self.name, "crashes")
        for end in list(self._host.links.values()):
            end.cut(reset=not silently)
        self._host.up = False
        self._kept = {name: dict(items) for name, items in self._kept.items()}
        await life.end()
        self._host.up = not silently

    async def restart(self) -> Self:
        """Start it again with the same identity and store, stopping it first if it runs."""
        if self.running:
            await self.stop()
        return await self.start()

    async def dial(self, other: SimulatedNode) -> ConnectionInfo:
        """Connect to where another node listens; raises `DialFailed`."""
        return await self.client.dial(other.peer_id, other.addresses)

    def forward_port(self, port: int, to: int = PORT) -> Multiaddr:
        """Open a TCP port of its NAT for everybody, as by hand; gives its address there."""
        if self.nat is None:
            raise ValueError(f"{self.name} is behind no NAT")
        return self.nat.forward((self._host.ip, to), port)

    def events(self, *event_classes: type[E]) -> Subscription[E]:
        """See `NetworkClient.events`."""
        return cast("Subscription[E]", self.client.events(*event_classes))

    async def __aenter__(self) -> Self:
        return self if self.running else await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.running:
            with anyio.CancelScope(shield=True):
                await self.stop()

    def _running_life(self) -> Life:
        if self._life is None:
            raise NodeClosed(f"{self.name} does not run")
        return self._life

    def _build(self) -> NodeOnHost:
        world, life = self._world, self._lives
        chance = world.chance.of("node", self.name, life)
        runtime = SimulatedRuntime(chance, world.internet.wire.now, self.wall_time)
        plugins = [plugin() if callable(plugin) else plugin for plugin in self._plugins]
        if world.recorded:
            plugins.append(Recording(partial(self._hear, life)))
        return NodeOnHost(self._config, plugins, runtime, self._foundation(), self._kept)

    def _foundation(self) -> Foundation:
        internet, host = self._world.internet, self._host
        bind: Any = partial(bind_udp, internet, host)
        installed = self._installed
        on_host = Foundation(
            tcp=lambda: SimulatedTcp(internet, host),
            bind_udp=bind,
            installed=lambda: installed,
        )
        return evolve(on_host, securities=_ALL_PLAIN) if self._world.plain else on_host

    def _hear(self, life: int, event: Event) -> None:
        """Record what happens, unless that life has crashed."""
        if self._life is not None and life == self._lives:
            self._world.record(self.name, event)
