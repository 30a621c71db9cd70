"""Dials: concurrent dials to a peer share one result, and their number is bounded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio
from attrs import define, field

from peerloom._addresses import split_peer
from peerloom._commands import DialCondition
from peerloom._errors import DialFailed
from peerloom._events import Dialing, OutgoingConnectionFailed
from peerloom._isolation import Seam

from ._errors import ConnectionLimitReached, Refused, without_traceback
from ._listeners import close_link

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._links import MuxedLink
    from peerloom._peer_id import PeerId

    from ._limits import ConnectionLimits
    from ._record import Record
    from ._surroundings import Surroundings, Tasks

_JOINING = {DialCondition.NOT_DIALING, DialCondition.DISCONNECTED_AND_NOT_DIALING}
_UNLESS_CONNECTED = {DialCondition.DISCONNECTED, DialCondition.DISCONNECTED_AND_NOT_DIALING}


@define(eq=False)
class SharedDial:
    """A dial that several callers wait for.

    Attributes:
        scope: cancels the dial when nobody waits any more.
        done: set when it has ended.
        result: the connection, when it has worked.
        error: what it failed with.
        waiting: how many wait.
    """

    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    done: anyio.Event = field(factory=anyio.Event)
    result: ConnectionInfo | None = None
    error: DialFailed | None = None
    waiting: int = 0

    async def wait(self) -> ConnectionInfo:
        """The connection; raises `DialFailed`."""
        self.waiting += 1
        try:
            await self.done.wait()
        finally:
            self.waiting -= 1
            if not self.waiting and not self.done.is_set():
                self.scope.cancel()
        if self.result is not None:
            return self.result
        assert self.error is not None
        raise DialFailed(self.error.peer, self.error.attempts, self.error.reason)


class Dials:
    """The dials under way.

    Attributes:
        counters: dials made and failed.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the swarm's parts, each once
        self,
        around: Surroundings,
        tasks: Tasks,
        limits: ConnectionLimits,
        connect: Callable[[PeerId | None, Sequence[Multiaddr]], Awaitable[MuxedLink]],
        establish: Callable[[MuxedLink], Awaitable[ConnectionInfo]],
        record: Record,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._around = around
        self._tasks = tasks
        self._limits = limits
        self._connect = connect
        self._establish = establish
        self._record = record
        self._shared: dict[PeerId, SharedDial] = {}

    async def dial(
        self,
        peer: PeerId | None,
        addresses: Sequence[Multiaddr],
        condition: DialCondition,
        established: Callable[[PeerId], Sequence[ConnectionInfo]],
    ) -> ConnectionInfo:
        """Connect as the condition says; raises `DialFailed`."""
        peer = peer or _common_peer(addresses)
        if peer is None:
            return await self._dial(None, addresses)
        if condition in _UNLESS_CONNECTED and (connected := established(peer)):
            return connected[0]
        shared = self._shared.get(peer) if condition in _JOINING else None
        if shared is None:
            shared = SharedDial()
            self._shared.setdefault(peer, shared)
            self._tasks.running.start_soon(self._run, shared, peer, tuple(addresses))
        return await shared.wait()

    async def _run(self, shared: SharedDial, peer: PeerId, addresses: Sequence[Multiaddr]) -> None:
        failures: list[BaseException] = []
        try:
            with Seam(failures.append), shared.scope:
                shared.result = await self._dial(peer, addresses)
            if failures:
                shared.error = self._judge(peer, failures[0])
        finally:
            if shared.result is None and shared.error is None:
                shared.error = DialFailed(peer, (), "the dial was given up")
            if self._shared.get(peer) is shared:
                del self._shared[peer]
            shared.done.set()

    def _judge(self, peer: PeerId, error: BaseException) -> DialFailed:
        if isinstance(error, DialFailed):
            return error
        return DialFailed(peer, (), self._record.defect_met(None, error))

    async def _dial(self, peer: PeerId | None, addresses: Sequence[Multiaddr]) -> ConnectionInfo:
        try:
            self._limits.check_pending_out()
        except ConnectionLimitReached as error:
            raise DialFailed(peer, (), str(error)) from error
        self._limits.pending_out += 1
        self.counters["dials"] += 1
        try:
            await self._around.sink.put(Dialing(peer))
            return await self._take_into_service(await self._connect(peer, addresses))
        except DialFailed as error:
            self.counters["failed_dials"] += 1
            for address, cause in error.attempts:
                self._record.dial_failed(address, without_traceback(cause))
            await self._around.sink.put(OutgoingConnectionFailed(peer, error.attempts))
            raise
        finally:
            self._limits.pending_out -= 1

    async def _take_into_service(self, link: MuxedLink) -> ConnectionInfo:
        try:
            return await self._establish(link)
        except (ConnectionLimitReached, Refused) as error:
            await close_link(link)
            raise DialFailed(link.peer, [(link.remote_address, error)]) from error
        except BaseException:
            await close_link(link)
            raise


def _common_peer(addresses: Sequence[Multiaddr]) -> PeerId | None:
    peers = {split_peer(address)[1] for address in addresses}
    return peers.pop() if len(peers) == 1 else None
