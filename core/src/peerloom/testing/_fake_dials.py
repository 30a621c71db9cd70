"""The dials of a fake swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._addresses import split_peer
from peerloom._commands import DialCondition
from peerloom._dispatch import Reply
from peerloom._errors import DialFailed
from peerloom._events import Dialing, OutgoingConnectionFailed
from peerloom._isolation import Seam
from peerloom._links import Role
from peerloom._swarm import Refused
from peerloom._swarm._errors import NO_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anyio.abc import TaskGroup
    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId
    from peerloom._swarm import Surroundings

    from ._fake_connections import FakeConnections

_JOINING: Final = {DialCondition.NOT_DIALING, DialCondition.DISCONNECTED_AND_NOT_DIALING}
_UNLESS_CONNECTED: Final = {
    DialCondition.DISCONNECTED,
    DialCondition.DISCONNECTED_AND_NOT_DIALING,
}


class FakeDials:
    """Finds out where a peer is, tries one address after another, and tells of it."""

    def __init__(
        self,
        around: Surroundings,
        tasks: TaskGroup,
        connections: FakeConnections,
        known_addresses: Callable[[PeerId], Sequence[Multiaddr]],
        who_answers: Callable[[PeerId | None, Multiaddr], PeerId | None],
    ) -> None:
        self._around = around
        self._tasks = tasks
        self._connections = connections
        self._known_addresses = known_addresses
        self._who_answers = who_answers
        self._under_way: dict[PeerId, Reply[ConnectionInfo]] = {}

    async def dial(
        self, peer: PeerId | None, addresses: Sequence[Multiaddr], condition: DialCondition
    ) -> ConnectionInfo:
        """Connect as the condition says; raises `DialFailed`."""
        peer = peer or _named_in(addresses)
        if peer is None:
            return await self._dial(None, addresses)
        if condition in _UNLESS_CONNECTED and (connected := self._connections.infos(peer)):
            return connected[0]
        shared = self._under_way.get(peer) if condition in _JOINING else None
        if shared is None:
            shared = Reply()
            self._under_way.setdefault(peer, shared)
            self._tasks.start_soon(self._run, shared, peer, tuple(addresses))
        return await shared.wait()

    async def _run(
        self, shared: Reply[ConnectionInfo], peer: PeerId, addresses: Sequence[Multiaddr]
    ) -> None:
        failures: list[BaseException] = []
        try:
            with Seam(failures.append):
                shared.set(await self._dial(peer, addresses))
        finally:
            shared.fail(failures[0] if failures else DialFailed(peer, (), "it was given up"))
            if self._under_way.get(peer) is shared:
                del self._under_way[peer]

    async def _dial(self, peer: PeerId | None, addresses: Sequence[Multiaddr]) -> ConnectionInfo:
        await self._around.sink.put(Dialing(peer))
        try:
            return await self._connect(peer, await self._where(peer, addresses))
        except DialFailed as error:
            await self._around.sink.put(OutgoingConnectionFailed(peer, error.attempts))
            raise

    async def _where(self, peer: PeerId | None, given: Sequence[Multiaddr]) -> list[Multiaddr]:
        known = [split_peer(address)[0] for address in given]
        if peer is not None:
            known += self._known_addresses(peer)
            if not known:
                known += await self._around.find_peer(peer)
        return list(dict.fromkeys(known))

    async def _connect(self, peer: PeerId | None, where: Iterable[Multiaddr]) -> ConnectionInfo:
        attempts: list[tuple[Multiaddr, BaseException]] = []
        for address in where:
            try:
                return await self._try(peer, address)
            except (OSError, Refused) as error:
                attempts.append((address, error))
        raise DialFailed(peer, attempts, "" if attempts else NO_ADDRESS)

    async def _try(self, peer: PeerId | None, address: Multiaddr) -> ConnectionInfo:
        reason = self._around.gate("dial", peer, address)
        if reason is not None:
            raise Refused(reason)
        found = self._who_answers(peer, address)
        if found is None:
            raise ConnectionRefusedError(f"nobody answers at {address}")
        return await self._connections.establish(found, address, Role.DIALER)


def _named_in(addresses: Iterable[Multiaddr]) -> PeerId | None:
    named = {split_peer(address)[1] for address in addresses}
    return named.pop() if len(named) == 1 else None
