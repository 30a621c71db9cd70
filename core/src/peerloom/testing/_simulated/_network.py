"""SimulatedNetwork: many real nodes in one process, in virtual time, by one seed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import count
from typing import (
    TYPE_CHECKING,
    Concatenate,
    Final,
    Literal,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
)

import anyio
from attrs import evolve
from multiaddr import Multiaddr

from peerloom._background import Background
from peerloom._config import NetworkConfig
from peerloom._errors import NoHandler
from peerloom._events import Event

from ._chance import Chance
from ._internet import Internet, Weather
from ._nat_table import LIFETIME_SECONDS
from ._node import PORT, SimulatedNode
from ._pipe import break_link
from ._virtual_time import run_in_virtual_time
from ._world import World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from random import Random

    from ._chance import Distribution
    from ._log import EventLog
    from ._nat_table import Dependence
    from ._places import Host, Nat, NatKind, Unsolicited

P = ParamSpec("P")
T = TypeVar("T")

Security = Literal["plain", "real"]

LINES_OF_NOTE: Final = 5
ADVICE_ON_PLUGINS: Final = (
    "A simulated node has core's own plugins and those that it is given, as in "
    'network.start(2, plugins=["stream"]).'
)
LISTEN: Final = (f"/tcp/{PORT}",)


class NodeSettings(TypedDict, total=False):
    """What `SimulatedNetwork.node` takes beside a name."""

    nat: Nat | NatKind | None
    plugins: Sequence[object]
    config: NetworkConfig | None
    listen: Sequence[str]
    bandwidth: float | None
    clock_offset_seconds: float


class SimulatedNetwork:
    """Real nodes on simulated hosts, in virtual time, everything by one seed. Runs on trio only.

    Swarm, muxers and protocols are the real ones; the wire, the clock, chance, and by default the
    security channel are not. Waiting takes no time, ten minutes of pings pass in a moment, and the
    same seed gives the same `log` byte for byte::

        async def scenario(network: SimulatedNetwork) -> None:
            ann, ben = await network.start(2)
            await ann.dial(ben)
            network.partition([ann])
            async with ann.events(PeerDisconnected) as ended:
                await anext(ended)

        SimulatedNetwork(seed=7, latency=0.1).run(scenario)

    Args:
        seed: decides everything that is left to chance, identities included.
        latency: seconds that anything takes one way: a number, or a function that draws one from a
            `random.Random`, once for each pair of places. Arrivals are rounded up to about a
            microsecond.
        jitter: seconds that are added to that, drawn for each piece; nothing overtakes on a link.
        bandwidth: bytes a second that each host can send, and receive; None for no bound.
        link_lifetime: seconds after which a TCP link is lost, drawn for each; None for never.
        datagram_loss: the part of all datagrams (QUIC) that is lost, from 0 to 1.
        security: "plain" in place of TLS and Noise a channel that hides nothing, costs nothing and
            takes as many round trips; "real" as each node's configuration says.
        time_limit_seconds: virtual seconds after which a scenario that waits for what never happens
            is ended: `run` raises TimeoutError.
        record: the events that the log writes, subclasses included; empty for none.

    Attributes:
        seed: as given.
        log: what has happened.
        nodes: every node by its name, whether it runs or not.
    """

    def __init__(  # noqa: PLR0913 - what a network can be, each by its name
        self,
        seed: int = 0,
        *,
        latency: Distribution = 0.05,
        jitter: Distribution = 0.0,
        bandwidth: float | None = None,
        link_lifetime: Distribution | None = None,
        datagram_loss: float = 0.0,
        security: Security = "plain",
        time_limit_seconds: float = 86_400.0,
        record: Sequence[type[Event]] = (Event,),
    ) -> None:
        self.seed = seed
        self.nodes: dict[str, SimulatedNode] = {}
        chance = Chance(seed)
        weather = Weather(latency, jitter, bandwidth, link_lifetime, datagram_loss)
        internet = Internet(weather, chance)
        self._world = World(chance, internet, record, plain=security == "plain")
        self.log: EventLog = self._world.log
        self._time_limit_seconds = time_limit_seconds
        self._numbers = count(1)
        self._failed_at: int | None = None

    # -- running

    def run(
        self,
        scenario: Callable[Concatenate[SimulatedNetwork, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``scenario(network, …)`` to its end and stop every node; gives its result.

        What it raises carries a note that names the seed. A network runs once.
        """

        async def play() -> T:
            with anyio.move_on_after(self._time_limit_seconds):
                async with self.running():
                    return await scenario(self, *args, **kwargs)
            raise TimeoutError(
                f"still running after {self._time_limit_seconds:g} virtual seconds "
                "(time_limit_seconds)"
            )

        try:
            return run_in_virtual_time(
                play, self._world.internet.wire, self._world.chance.of("order")
            )
        except BaseException as error:
            error.add_note(self._note())
            if isinstance(error, NoHandler):
                error.add_note(ADVICE_ON_PLUGINS)
            raise

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[SimulatedNetwork, None]:
        """The network in an event loop that runs already, and in which the wire makes time pass."""
        self._world.internet.begin()
        async with Background() as tasks:
            self._world.tasks = tasks
            try:
                try:
                    yield self
                except BaseException:
                    self._failed_at = len(self.log)  # nodes that are closed write more
                    raise
                for node in self.nodes.values():
                    if node.running:
                        await node.stop()
            finally:
                tasks.cancel_scope.cancel()

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self._world.now

    def chance(self, purpose: str) -> Random:
        """A generator for the scenario's own choices; each purpose has another, by the seed."""
        return self._world.chance.of("scenario", purpose)

    # -- nodes

    def node(  # noqa: PLR0913 - what a node can be, each by its name
        self,
        name: str | None = None,
        *,
        nat: Nat | NatKind | None = None,
        plugins: Sequence[object] = (),
        config: NetworkConfig | None = None,
        listen: Sequence[str] = LISTEN,
        bandwidth: float | None = None,
        clock_offset_seconds: float = 0.0,
    ) -> SimulatedNode:
        """A node that has not started yet.

        Args:
            name: what to call it; "node-1", "node-2" and so on by default.
            nat: the NAT that it is behind, or the kind of one of its own.
            plugins: plugin objects, classes or functions that make one for each start, and names of
                installed ones, as in ``["stream"]``. Core's own run by default, and nothing else
                that is installed.
            config: how it runs; `strict` by default. Its identity is the network's affair.
            listen: where it listens on its host's address, as in ``/udp/4001/quic-v1``.
            bandwidth: bytes a second that its host can send and receive; the network's by default.
            clock_offset_seconds: by how much its wall clock is fast.

        Raises ValueError if the name is taken, and `PluginError` if a plugin is not installed.
        """
        name = name or f"node-{next(self._numbers)}"
        if name in self.nodes:
            raise ValueError(f"there is a node {name!r} already")
        box = self.nat(nat) if isinstance(nat, str) else nat
        host = self._world.internet.add_host(name, box, bandwidth)
        addresses = tuple(Multiaddr(f"/ip4/{host.ip}{rest}") for rest in listen)
        given = config or NetworkConfig(strict=True)
        node = SimulatedNode(
            self._world,
            name,
            host,
            nat=box,
            plugins=plugins,
            config=evolve(given, listen=given.listen or addresses),
            clock_offset_seconds=clock_offset_seconds,
        )
        self.nodes[name] = node
        self.log.name(node.peer_id, name)
        return node

    async def start(self, count: int, **settings: Unpack[NodeSettings]) -> list[SimulatedNode]:
        """Start so many nodes, one after another; `settings` are those of `node`."""
        return [await self.node(**settings).start() for _ in range(count)]

    def nat(  # noqa: PLR0913 - what a NAT can be, each by its name
        self,
        kind: NatKind = "port-dependent",
        *,
        mapping: Dependence | None = None,
        behind: Nat | None = None,
        unsolicited: Unsolicited = "drop",
        hairpins: bool = False,
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> Nat:
        """A NAT that nodes can be behind (RFC 4787).

        Args:
            kind: who may send to a port that a node inside has outside: anybody
                ("endpoint-independent", a full cone), only addresses to which it has sent
                ("address-dependent"), only addresses and ports to which it has sent
                ("port-dependent"). "symmetric" is the last, with a port of its own for each
                remote address and port.
            mapping: on what the port outside depends, where it is not what `kind` says.
            behind: the NAT that this one is behind, as at a carrier's.
            unsolicited: what it does with what it does not let in: "drop" it, or "refuse" it, of
                which the sender is told.
            hairpins: whether nodes inside reach each other by their addresses outside.
            lifetime_seconds: how long a port stands after the last packet that left through it, if
                no link holds it.
        """
        symmetric = kind == "symmetric"
        return self._world.internet.add_nat(
            mapping=mapping or ("port-dependent" if symmetric else "endpoint-independent"),
            filtering="port-dependent" if kind == "symmetric" else kind,
            behind=behind,
            unsolicited=unsolicited,
            hairpins=hairpins,
            lifetime_seconds=lifetime_seconds,
        )

    # -- what happens to it

    def partition(self, *groups: Sequence[SimulatedNode]) -> None:
        """Let nothing pass between the groups any more; the nodes of none are one group more.

        What is sent to the other side is lost, and sent again once it can arrive, as TCP does it:
        connections live on if neither side gives them up before `heal`.
        """
        self._world.write(
            "-", " | ".join(" ".join(node.name for node in group) for group in groups)
        )
        self._world.internet.partition(
            [[node._host for node in group] for group in groups], self._hosts()
        )

    def heal(self) -> None:
        """Let everything pass again."""
        self._world.write("-", "heals")
        self._world.internet.partition([], self._hosts())

    def cut(self, one: SimulatedNode, other: SimulatedNode) -> int:
        """Break every TCP link between two nodes, as both are told at once; gives their number."""
        ends = [end for end in one._host.links.values() if end.other.host is other._host]
        self._world.write("-", f"cuts {one.name} from {other.name}: {len(ends)} links")
        for end in ends:
            break_link(end)
        return len(ends)

    def latency(self, one: SimulatedNode, other: SimulatedNode) -> float:
        """Seconds that anything takes from one to the other, jitter aside."""
        return self._world.internet.latency(one._host, other._host)

    def _note(self) -> str:
        return (
            f"SimulatedNetwork(seed={self.seed}): the same seed does it again. Its log has "
            f"{len(self.log)} lines, the last before the failure are:\n"
            f"{self.log.last(LINES_OF_NOTE, self._failed_at)}"
        )

    def _hosts(self) -> list[Host]:
        return [node._host for node in self.nodes.values()]
