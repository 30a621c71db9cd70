"""ConnectionPool: the connections in service, from `PeerConnected` to `PeerDisconnected`."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._addresses import is_relayed
from peerloom._endpoint import ConnectionInfo
from peerloom._events import PeerConnected, PeerDisconnected
from peerloom._isolation import Seam

from ._connection import Connection
from ._errors import Refused
from ._optimistic_stream import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom._links import MuxedLink, Role
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime

    from ._keep_alive import KeepAlive
    from ._limits import ConnectionLimits
    from ._protocols import ProtocolTable
    from ._record import Record
    from ._surroundings import Surroundings, Tasks

SHUTDOWN_SECONDS: Final = 2.0


class ConnectionPool:
    """Takes muxed links into service and ends them."""

    def __init__(
        self,
        local_peer: PeerId,
        around: Surroundings,
        tasks: Tasks,
        runtime: Runtime,
        record: Record,
    ) -> None:
        self._local_peer = local_peer
        self._around = around
        self._tasks = tasks
        self._runtime = runtime
        self._record = record
        self._ids = count(1)
        self._closing = False
        self._removed = anyio.Event()
        self._connections: dict[int, Connection] = {}
        self._by_peer: dict[PeerId, dict[int, Connection]] = {}
        self._dropped: deque[Callable[[], None]] = deque()
        self._unanswered = Unanswered(runtime.now)

    def __len__(self) -> int:
        return len(self._connections)

    def peers(self) -> int:
        """How many peers are connected."""
        return len(self._by_peer)

    def infos(self, peer: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        """Established connections, to one peer or to all, oldest first."""
        found = self._connections if peer is None else self._by_peer.get(peer, {})
        return tuple(connection.info for connection in found.values() if not connection.closing)

    def find(self, connection_id: int) -> Connection | None:
        """The connection of that number, unless it is closing."""
        connection = self._connections.get(connection_id)
        return None if connection is None or connection.closing else connection

    def best(self, peer: PeerId, *, allow_limited: bool) -> Connection | None:
        """The connection to open a stream on: the oldest that is not limited."""
        usable = [each for each in self._by_peer.get(peer, {}).values() if not each.closing]
        for connection in usable:
            if connection.info.limits is None:
                return connection
        return usable[0] if usable and allow_limited else None

    async def establish(
        self,
        link: MuxedLink,
        role: Role,
        limits: ConnectionLimits,
        protocols: ProtocolTable,
        keep_alive: KeepAlive,
    ) -> ConnectionInfo:
        """Take a link into service; raises `Refused` or `ConnectionLimitReached`."""
        if link.peer == self._local_peer:
            raise Refused("that is this node itself")
        if self._closing:
            raise Refused("the node is shutting down")
        reason = self._around.gate("connected", link.peer, link.remote_address)
        if reason is not None:
            raise Refused(reason)
        established = limits.establish(link.peer)
        info = self._describe(link, role)
        connection = Connection(
            *(info, link, protocols, self._around.offer, self._record),
            *(self._dropped.append, self._unanswered),
        )
        self._connections[info.id] = connection
        self._by_peer.setdefault(link.peer, {})[info.id] = connection
        self._tasks.running.start_soon(self._run, connection, limits, keep_alive)
        with anyio.CancelScope(shield=True):  # its end will be told: its beginning must be
            await self._around.sink.put(PeerConnected(link.peer, info, established))
        return info

    async def disconnect(self, peer: PeerId, cause: str) -> int:
        """Close all connections to a peer; gives their number."""
        found = [each for each in self._by_peer.get(peer, {}).values() if not each.closing]
        await _close(found, cause)
        return len(found)

    async def close_all(self, cause: str) -> None:
        """Close every connection, in parallel and within 2 s, and take no more."""
        self._closing = True
        with anyio.move_on_after(SHUTDOWN_SECONDS, shield=True):
            await _close(list(self._connections.values()), cause)
            while self._connections:
                await self._removed.wait()

    def close_idle(self, keep_alive: KeepAlive) -> None:
        """Close the connections that nothing has held for long enough.

        And end the streams that nobody has any more, or that wait for an answer for too long.
        """
        self._reset_dropped()
        self._unanswered.give_up_overdue()
        for connection in keep_alive.idle(self._connections.values(), self._runtime.now()):
            self._tasks.running.start_soon(_close, [connection], "nothing needs it")

    def _reset_dropped(self) -> None:
        """Reset the streams that were dropped without being closed."""
        while self._dropped:
            self._dropped.popleft()()
            self._record.stream_dropped()

    def _describe(self, link: MuxedLink, role: Role) -> ConnectionInfo:
        return ConnectionInfo(
            id=next(self._ids),
            peer=link.peer,
            role=role,
            local_address=link.local_address,
            remote_address=link.remote_address,
            relayed=is_relayed(link.remote_address) or is_relayed(link.local_address),
            security=link.security,
            muxer=link.muxer,
            limits=link.limits,
            opened_at=self._runtime.now(),
        )

    async def _run(
        self, connection: Connection, limits: ConnectionLimits, keep_alive: KeepAlive
    ) -> None:
        info = connection.info
        cause = "cut off: the node is shutting down"
        defects: list[BaseException] = []
        try:
            with Seam(defects.append):  # isolation: a defect met here ends no other connection
                cause = await connection.run()
            if defects:
                cause = self._record.defect_met(info.remote_address, defects[0])
        finally:
            self._remove(info)
            remaining = limits.close(info.peer)
            keep_alive.forget(info.id)
            with anyio.CancelScope(shield=True):
                await self._around.sink.put(
                    PeerDisconnected(info.peer, info, remaining, cause, connection.intended)
                )

    def _remove(self, info: ConnectionInfo) -> None:
        del self._connections[info.id]
        self._removed.set()
        self._removed = anyio.Event()
        of_peer = self._by_peer[info.peer]
        del of_peer[info.id]
        if not of_peer:
            del self._by_peer[info.peer]


async def _close(connections: list[Connection], cause: str) -> None:
    """Close connections that this node has no more use for."""
    async with anyio.create_task_group() as closing:
        for connection in connections:
            closing.start_soon(partial(connection.close, cause, intended=True))
