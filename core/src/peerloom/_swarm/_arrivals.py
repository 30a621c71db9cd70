"""Arrivals: links that others have opened, on their way to become connections."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, field

from peerloom._errors import RemoteProtocolError
from peerloom._events import IncomingConnectionFailed
from peerloom._isolation import Seam
from peerloom._links import IncomingLink, MuxedLink, PendingLink, RawLink, Role

from ._dialer import ATTEMPT_FAILURES, UPGRADE_SECONDS
from ._errors import ConnectionLimitReached, Refused, without_traceback
from ._listeners import close_link

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom._runtime import Runtime

    from ._limits import ConnectionLimits
    from ._record import Record
    from ._surroundings import Surroundings, Tasks
    from ._upgrade import Upgrader

# What an upgrade may take while newcomers wait for its place: five round trips on a bad path.
PATIENCE_SECONDS: Final = 1.0


@define(eq=False)
class Arrival:
    """A link under way.

    Attributes:
        link: the link itself.
        since: when it came.
        scope: cancels its upgrade.
    """

    link: IncomingLink
    since: float
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)


class Arrivals:
    """Upgrades inbound links, a bounded number at a time.

    When all places are taken, the link that has taken longest gives way to a new one, unless it
    is younger than a second: peers that connect and say nothing keep nobody out.

    Attributes:
        accepted: links taken in.
        failed: those of which no connection came.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the swarm's parts, each once
        self,
        around: Surroundings,
        tasks: Tasks,
        limits: ConnectionLimits,
        upgrader: Upgrader,
        establish: Callable[[MuxedLink], Awaitable[object]],
        runtime: Runtime,
        record: Record,
    ) -> None:
        self.accepted = 0
        self.failed = 0
        self._around = around
        self._tasks = tasks
        self._limits = limits
        self._upgrader = upgrader
        self._establish = establish
        self._runtime = runtime
        self._record = record
        self._numbers = count()
        self._under_way: dict[int, Arrival] = {}

    async def admit(self, link: IncomingLink) -> None:
        """Serve a link in a task of its own, or refuse it."""
        now = self._runtime.now()
        try:
            if self._limits.pending_in_full:
                self._make_room(now)
            self._limits.check_pending_in()
        except ConnectionLimitReached as error:
            await close_link(link)
            await self._tell_failed(link, error)
            return
        number = next(self._numbers)
        self._under_way[number] = Arrival(link, now)
        self._limits.pending_in = len(self._under_way)
        self.accepted += 1
        self._tasks.running.start_soon(self._serve, number, self._under_way[number])

    def _make_room(self, now: float) -> None:
        number, oldest = next(iter(self._under_way.items()))
        if now - oldest.since >= PATIENCE_SECONDS:
            self._leave(number)
            oldest.scope.cancel()

    def _leave(self, number: int) -> None:
        self._under_way.pop(number, None)
        self._limits.pending_in = len(self._under_way)

    async def _serve(self, number: int, arrival: Arrival) -> None:
        failures: list[BaseException] = []
        try:
            with Seam(failures.append), arrival.scope:
                await self._bring_in(arrival.link)
            if arrival.scope.cancelled_caught:
                failures.append(
                    RemoteProtocolError("it took longer than others, who waited for its place")
                )
            if failures:
                await self._fail(arrival.link, failures[0])
        finally:
            self._leave(number)

    async def _bring_in(self, link: IncomingLink) -> None:
        reason = self._around.gate("accept", None, link.remote_address)
        if reason is not None:
            raise Refused(reason)
        muxed = link if isinstance(link, MuxedLink) else await self._upgraded(link)
        try:
            await self._establish(muxed)
        except BaseException:
            await close_link(muxed)
            raise

    async def _upgraded(self, link: RawLink | PendingLink) -> MuxedLink:
        try:
            with anyio.fail_after(UPGRADE_SECONDS):
                if isinstance(link, PendingLink):
                    return await link.complete()
                return await self._upgrader.upgrade(link, Role.LISTENER, None)
        except TimeoutError:
            raise RemoteProtocolError(
                f"not secured and muxed within {UPGRADE_SECONDS:.0f} s"
            ) from None

    async def _fail(self, link: IncomingLink, error: BaseException) -> None:
        self.failed += 1
        await close_link(link)
        if not isinstance(error, ATTEMPT_FAILURES):
            self._record.defect_met(link.remote_address, error)
        await self._tell_failed(link, error)

    async def _tell_failed(self, link: IncomingLink, error: BaseException) -> None:
        self._record.accept_failed(link.remote_address, error)
        await self._around.sink.put(
            IncomingConnectionFailed(
                link.local_address, link.remote_address, without_traceback(error)
            )
        )
