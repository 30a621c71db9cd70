"""Surroundings: what the swarm asks of the node around it; and the tasks that it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from peerloom._errors import NodeClosed
from peerloom._unread import UnreadLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.abc import TaskGroup
    from multiaddr import Multiaddr

    from peerloom._behaviour import GateStage, InboundProtocol
    from peerloom._events import Event
    from peerloom._peer_id import PeerId
    from peerloom._stream import Stream


class Sink(Protocol):
    """Where the swarm tells its events."""

    async def put(self, event: Event) -> None:
        """Tell an event, waiting while the loop is behind."""
        ...


class Surroundings:
    """Set by whoever builds the node.

    Attributes:
        sink: takes events from tasks, which wait while the loop is behind.
        emit: takes events from plain code.
        offer: hands an inbound stream to its owner; False when there is no room for it.
        gate: may refuse a dial or a connection by giving a reason.
        find_peer: finds addresses of a peer of whom none is known.
        part_failed: hears that a plugin's behaviour or transport raised, and where.
        unread: sums up what connections hold that nobody has read.
    """

    def __init__(
        self,
        sink: Sink,
        emit: Callable[[Event], None],
        offer: Callable[[str, InboundProtocol, Stream], bool],
    ) -> None:
        self.sink = sink
        self.emit = emit
        self.offer = offer
        self.gate: Callable[[GateStage, PeerId | None, Multiaddr], str | None] = _let_pass
        self.find_peer: Callable[[PeerId], Awaitable[Sequence[Multiaddr]]] = _find_nobody
        self.part_failed: Callable[[str, str, BaseException], None] = _raise
        self.unread: UnreadLedger = UnreadLedger()


class Tasks:
    """The swarm's task group while it runs."""

    def __init__(self) -> None:
        self.group: TaskGroup | None = None

    @property
    def running(self) -> TaskGroup:
        """The task group; raises `NodeClosed` when the swarm does not run."""
        if self.group is None:
            raise NodeClosed("the node is not running: call it inside `async with Node(...)`")
        return self.group


def _let_pass(_stage: GateStage, _peer: PeerId | None, _address: Multiaddr) -> str | None:
    return None


def _raise(_owner: str, _where: str, error: BaseException) -> None:
    raise error


async def _find_nobody(_peer: PeerId) -> Sequence[Multiaddr]:
    return ()
