"""Listeners: every socket that accepts links, each served by a task of its own."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, field

from peerloom._addresses import split_peer
from peerloom._errors import ListenFailed
from peerloom._events import (
    ListenAddressExpired,
    ListenerClosed,
    ListenerFailed,
    ListeningOn,
)
from peerloom._isolation import Seam
from peerloom._links import IncomingLink, RawLink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup, TaskStatus
    from multiaddr import Multiaddr

    from peerloom._links import Listener, Transport

    from ._record import Record
    from ._surroundings import Sink

RETRY_SECONDS: Final = 1.0  # after accept failed, as when file descriptors have run out


@define(eq=False)
class Listening:
    """A listener in service.

    Attributes:
        id: its number.
        owner: the plugin whose transport it is.
        addresses: where it listens.
        scope: cancels it.
        closed: set when it has gone.
    """

    id: int
    owner: str
    addresses: tuple[Multiaddr, ...] = ()
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    closed: anyio.Event = field(factory=anyio.Event)


class Listeners:
    """Starts and closes listeners; hands every link that they accept to `admit`."""

    def __init__(
        self,
        sink: Sink,
        record: Record,
        admit: Callable[[IncomingLink], Awaitable[None]],
    ) -> None:
        self._sink = sink
        self._record = record
        self._admit = admit
        self._ids = count(1)
        self._listening: dict[int, Listening] = {}

    def addresses(self) -> tuple[tuple[int, Multiaddr], ...]:
        """Every address listened on, with its listener's number."""
        return tuple(
            (each.id, address) for each in self._listening.values() for address in each.addresses
        )

    async def start(
        self, tasks: TaskGroup, owner: str, transport: Transport, address: Multiaddr
    ) -> int:
        """Listen; raises `ListenFailed`."""
        listening = Listening(next(self._ids), owner)
        bare = split_peer(address)[0]
        failure = await tasks.start(self._run, listening, transport, bare)
        if failure is not None:
            raise failure
        return listening.id

    async def stop(self, listener_id: int) -> bool:
        """Close a listener; gives whether it was there."""
        listening = self._listening.get(listener_id)
        if listening is None:
            return False
        listening.scope.cancel()
        await listening.closed.wait()
        return True

    def stop_all_of(self, owner: str) -> None:
        """Close every listener on an owner's transports."""
        for listening in self._listening.values():
            if listening.owner == owner:
                listening.scope.cancel()

    async def _run(
        self,
        listening: Listening,
        transport: Transport,
        address: Multiaddr,
        *,
        task_status: TaskStatus[ListenFailed | None],
    ) -> None:
        failures: list[BaseException] = []
        try:
            with Seam(failures.append), listening.scope:
                async with transport.listen(address) as listener:
                    await self._opened(listening, listener)
                    task_status.started(None)
                    await self._accept(listening, listener)
        finally:
            self._listening.pop(listening.id, None)
            listening.closed.set()
        cause = self._judge(address, failures[0]) if failures else None
        if cause is not None and not listening.addresses:
            task_status.started(cause)
        else:
            await self._tell_closed(listening, cause)

    def _judge(self, address: Multiaddr, error: BaseException) -> ListenFailed:
        if isinstance(error, ListenFailed):
            return error
        return ListenFailed(address, self._record.defect_met(None, error))

    async def _opened(self, listening: Listening, listener: Listener) -> None:
        listening.addresses = tuple(listener.addresses)
        self._listening[listening.id] = listening
        for address in listening.addresses:
            await self._sink.put(ListeningOn(listening.id, address))

    async def _accept(self, listening: Listening, listener: Listener) -> None:
        while True:
            try:
                link = await listener.accept()
            except anyio.ClosedResourceError:
                return
            except OSError as error:
                await self._sink.put(ListenerFailed(listening.id, error))
                await anyio.sleep(RETRY_SECONDS)
            else:
                await self._admit(link)
                del link  # while the next is waited for, this one may end

    async def _tell_closed(self, listening: Listening, cause: BaseException | None) -> None:
        for address in listening.addresses:
            await self._sink.put(ListenAddressExpired(listening.id, address))
        await self._sink.put(ListenerClosed(listening.id, listening.addresses, cause))


async def close_link(link: IncomingLink) -> None:
    """Close a link that never came into service."""
    if isinstance(link, RawLink):
        await anyio.aclose_forcefully(link.stream)
    else:
        with anyio.move_on_after(1):
            await link.aclose()
