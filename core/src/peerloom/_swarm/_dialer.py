"""Dialer: turns a peer and addresses into one connection or one `DialFailed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from peerloom._addresses import split_peer
from peerloom._errors import DialFailed, HandshakeFailed, PeerloomError, WrongPeerId
from peerloom._isolation import Seam
from peerloom._links import DialOptions, MuxedLink, RawLink, Role

from ._dial_plan import needs_resolving, ranked
from ._dial_race import DialRace
from ._errors import NO_ADDRESS, NOT_HANDLED, Refused
from ._resolve import resolve
from ._upgrade import GuessFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from multiaddr import Multiaddr

    from peerloom._links import Transport
    from peerloom._peer_id import PeerId

    from ._acquaintances import Acquaintances
    from ._record import Record
    from ._surroundings import Surroundings
    from ._upgrade import Upgrader

T = TypeVar("T")

DIAL_SECONDS: Final = 10.0  # one address, until the transport is connected
UPGRADE_SECONDS: Final = 10.0  # one link, until it is secured and muxed
MAX_ADDRESSES: Final = 32  # of one dial: more are not tried

ATTEMPT_FAILURES: Final = (
    PeerloomError,
    OSError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)


class Dialer:
    """Tries addresses; knows nothing of connections in service."""

    def __init__(
        self,
        transport_for: Callable[[Multiaddr], Transport | None],
        upgrader: Upgrader,
        around: Surroundings,
        record: Record,
        acquaintances: Acquaintances,
    ) -> None:
        self._transport_for = transport_for
        self._upgrader = upgrader
        self._around = around
        self._record = record
        self._acquaintances = acquaintances

    async def dial(
        self, peer: PeerId | None, addresses: Sequence[Multiaddr], own: Sequence[Multiaddr]
    ) -> MuxedLink:
        """Connect to the first address that leads to the peer; raises `DialFailed`."""

        async def attempt(address: Multiaddr) -> MuxedLink:
            return await self._isolated(address, peer)

        def sources(address: Multiaddr) -> Callable[[], Awaitable[list[Multiaddr]]]:
            return lambda: resolve(address)

        race = DialRace(attempt, _discard, ATTEMPT_FAILURES)
        named = [address for address in addresses if needs_resolving(address)]
        plain = [address for address in addresses if not needs_resolving(address)]
        link = await race.run(
            ranked(plain, own)[:MAX_ADDRESSES],
            {address: sources(address) for address in named[:MAX_ADDRESSES]},
        )
        if link is None:
            raise DialFailed(peer, race.attempts, "" if race.attempts else NO_ADDRESS)
        return link

    async def _isolated(self, address: Multiaddr, peer: PeerId | None) -> MuxedLink:
        """A defect met with one address, as in somebody's transport, fails that address only."""
        failures: list[BaseException] = []
        with Seam(failures.append):
            return await self._attempt(address, peer)
        failure = failures[0]
        if isinstance(failure, ATTEMPT_FAILURES):
            raise failure
        raise PeerloomError(self._record.defect_met(address, failure)) from failure

    async def _attempt(self, address: Multiaddr, peer: PeerId | None) -> MuxedLink:
        bare, named = split_peer(address)
        expected = peer or named
        if named is not None and expected is not None and named != expected:
            raise WrongPeerId(expected, named)
        transport = self._transport_for(bare)
        if transport is None:
            raise PeerloomError(NOT_HANDLED)
        reason = self._around.gate("dial", expected, address)
        if reason is not None:
            raise Refused(reason)
        try:
            return await self._connect(transport, bare, expected)
        except GuessFailed:
            assert expected is not None
            self._acquaintances.took_security(expected, None)
            return await self._connect(transport, bare, expected)

    async def _connect(
        self,
        transport: Transport,
        address: Multiaddr,
        expected: PeerId | None,
        *,
        reuse_port: bool = True,
    ) -> MuxedLink:
        options = DialOptions(role=Role.DIALER, reuse_port=reuse_port, expected=expected)
        link = await _bounded(transport.dial(address, options), DIAL_SECONDS, "not connected")
        if isinstance(link, RawLink):
            try:
                return await self._upgraded(link, expected)
            except WrongPeerId:
                raise
            except HandshakeFailed:
                # Two nodes that dial each other at once, both from where they listen, meet on one
                # connection as two diallers, for which no handshake provides.
                if not (reuse_port and link.reuses_port):
                    raise
            return await self._connect(transport, address, expected, reuse_port=False)
        if expected is not None and link.peer != expected:
            await link.aclose()
            raise WrongPeerId(expected, link.peer)
        return link

    async def _upgraded(self, raw: RawLink, expected: PeerId | None) -> MuxedLink:
        known = self._acquaintances.security_of(expected)
        upgrade = self._upgrader.upgrade(raw, Role.DIALER, expected, known)
        link = await _bounded(upgrade, UPGRADE_SECONDS, "not secured and muxed")
        self._acquaintances.took_security(link.peer, link.security)
        return link


async def _bounded(work: Awaitable[T], seconds: float, what: str) -> T:
    try:
        with anyio.fail_after(seconds):
            return await work
    except TimeoutError as error:
        raise OSError(f"{what} within {seconds:.0f} s") from error


async def _discard(link: MuxedLink) -> None:
    with anyio.move_on_after(1, shield=True):
        await link.aclose()
