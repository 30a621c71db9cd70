"""Gossiping: two processes of a contestant with gossipsub nodes, all of one mesh."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from attrs import define, frozen

from benchmarks.benchmark import Contestant, WrongData, absent
from benchmarks.peers import gossip_command
from benchmarks.process import worker
from benchmarks.workers.messages import digest_of, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from benchmarks.benchmark import Measured, Options
    from benchmarks.process import Peer

MESSAGE_BYTES: Final = 1024
SECURITY: Final = "tls"
SETTINGS: Final = {
    "transport": "tcp",
    "security": SECURITY,
    "signing": "strict-sign",
    "message_bytes": MESSAGE_BYTES,
}
_MESH_SECONDS: Final = 30.0
_SILENT_SECONDS: Final = 5.0  # then nothing more comes: what is missing is lost
_TURN_SECONDS: Final = 600.0
# Each node of a ring dials the next one and the third: four connections each, all in the mesh.
_STEPS: Final = (1, 3)


@frozen
class Received:
    """What the nodes have heard, in the order of their numbers.

    Attributes:
        counts: how many messages each.
        last: when the last of them came, on the machine's clock.
    """

    counts: Sequence[int]
    last: float


@define(eq=False)
class Gossips:
    """The nodes of one contestant, half of them in each of two processes.

    Attributes:
        name: the contestant.
        sides: the processes.
        nodes: how many nodes each has.
        signed: whether messages are signed.
        published: how many messages there were so far; no number comes twice.
    """

    name: str
    sides: tuple[Peer, Peer]
    nodes: int
    signed: bool
    published: int = 0

    @property
    def versions(self) -> Mapping[str, str]:
        """What runs in them."""
        name, _, version = self.sides[0].version.partition(" ")
        return {name: version}

    @property
    def processor_seconds(self) -> float:
        """What both processes have used."""
        return sum(side.processor_seconds() for side in self.sides)

    async def connect(self) -> None:
        """Join all nodes to one mesh."""
        places = [(side, node) for node in range(self.nodes) for side in self.sides]
        pairs = edges(len(places))
        for one, other in sorted(pairs):
            side, node = places[one]
            to, there = places[other]
            await side.request("dial-from", node=node, address=to.addresses[there])
        degree = 2 * len(pairs) // len(places)
        for side in self.sides:
            await side.request("await-meshes", within=_MESH_SECONDS, size=degree)

    async def publish(self, shares: Sequence[int], rate: float = 0.0) -> Sequence[Any]:
        """Publish this many messages from the first node of each side, all at once."""
        published: list[Any] = [{}, {}]
        await self._expect(shares)

        async def run(index: int, first: int) -> None:
            fields = {"first": first, "count": shares[index], "bytes": MESSAGE_BYTES, "rate": rate}
            side = self.sides[index]
            published[index] = await side.request("publish", within=_TURN_SECONDS, **fields)

        async with anyio.create_task_group() as tasks:
            for index, first in enumerate((self.published, self.published + shares[0])):
                if shares[index]:
                    tasks.start_soon(run, index, first)
        self.published += sum(shares)
        return published

    async def received(self, shares: Sequence[int]) -> Received:
        """What has come of the messages published last; raises `WrongData` if it is not these."""
        reports: list[Mapping[str, Any]] = []
        for side in self.sides:
            answer = await side.request("received", within=_TURN_SECONDS, silent=_SILENT_SECONDS)
            reports += answer["nodes"]
        first = self.published - sum(shares)
        for report, (start, stop) in zip(reports, self._heard(shares), strict=True):
            wanted = _digest(first + start, first + stop)
            if report["count"] == stop - start and report["digest"] != wanted:
                raise WrongData(f"{self.name}: other messages came than were sent")
        return Received(
            [report["count"] for report in reports], max(report["last"] for report in reports)
        )

    async def arrivals(self) -> Sequence[Mapping[int, float]]:
        """When each message came to each node, by its number."""
        nodes: list[Mapping[str, float]] = []
        for side in self.sides:
            nodes += (await side.request("arrivals"))["nodes"]
        return [{int(number): when for number, when in each.items()} for each in nodes]

    def wanted(self, shares: Sequence[int]) -> Sequence[int]:
        """How many messages each node must hear."""
        return [stop - start for start, stop in self._heard(shares)]

    def give_up(self) -> str:
        """End both processes; the ends of their logs."""
        logs = [side.log for side in self.sides]
        for side in self.sides:
            side.kill()
        return "\n".join(logs)

    async def _expect(self, shares: Sequence[int]) -> None:
        wanted = self.wanted(shares)
        for index, side in enumerate(self.sides):
            counts = wanted[index * self.nodes : (index + 1) * self.nodes]
            await side.request("expect", counts=counts)

    def _heard(self, shares: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Which messages each node hears: all but its own."""
        ours, both = shares[0], sum(shares)
        yield ours, both
        yield from [(0, both)] * (self.nodes - 1)
        yield 0, ours
        yield from [(0, both)] * (self.nodes - 1)


@asynccontextmanager
async def gossips(name: str, *, nodes: int = 1, signed: bool = True) -> AsyncIterator[Gossips]:
    """Processes of a contestant whose nodes are connected."""
    command = await anyio.to_thread.run_sync(gossip_command, name)
    settings = {"nodes": nodes, "security": SECURITY, "signed": signed}
    async with worker(name, command, **settings) as one, worker(name, command, **settings) as other:
        gossips = Gossips(name, (one, other), nodes, signed)
        await gossips.connect()
        yield gossips


@asynccontextmanager
async def contest_of_gossips(
    names: Sequence[str],
    options: Options,
    enter: Callable[[str, AsyncExitStack], Awaitable[Contestant]],
) -> AsyncIterator[Sequence[Contestant]]:
    """The contestants that take part; `enter` starts one."""
    async with AsyncExitStack() as stack:
        contestants: list[Contestant] = []
        for name in filter(options.wants, names):
            try:
                contestants.append(await enter(name, stack))
            except Exception as error:  # noqa: BLE001 - isolation: the others go on
                contestants.append(absent(name, error))
        yield contestants


def contestant(gossips: Gossips, measure: Callable[[], Awaitable[float | Measured]]) -> Contestant:
    """What stands in the benchmark for these."""
    return Contestant(gossips.name, measure, gossips.versions, gossips.give_up)


def edges(nodes: int) -> set[tuple[int, int]]:
    """Who dials whom."""
    pairs = {(node, (node + step) % nodes) for node in range(nodes) for step in _STEPS}
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}


@cache
def _digest(first: int, stop: int) -> str:
    return digest_of(message(number, MESSAGE_BYTES) for number in range(first, stop))
