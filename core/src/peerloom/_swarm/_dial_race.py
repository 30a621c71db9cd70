"""Several addresses tried side by side; the first that leads to a connection wins."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio

from peerloom._addresses import is_relayed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.abc import TaskGroup
    from multiaddr import Multiaddr

PARALLEL: Final = 3  # addresses at once
STAGGER_SECONDS: Final = 0.25  # RFC 8305 section 8: time before the next one is tried beside
RELAY_DELAY_SECONDS: Final = 1.0  # how long a direct address may take before a relay is tried

L = TypeVar("L")


class DialRace(Generic[L]):
    """One dial: `attempt` connects to an address or raises; it cleans up when cancelled.

    Attributes:
        attempts: each address tried, with what became of it.
    """

    def __init__(
        self,
        attempt: Callable[[Multiaddr], Awaitable[L]],
        discard: Callable[[L], Awaitable[None]],
        failures: tuple[type[BaseException], ...],
    ) -> None:
        self.attempts: list[tuple[Multiaddr, BaseException]] = []
        self._attempt = attempt
        self._discard = discard
        self._failures = failures
        self._queue: deque[Multiaddr] = deque()
        self._running = 0
        self._late = 0
        self._winner: L | None = None
        self._changed = anyio.Event()
        self._relays_from = 0.0

    async def run(
        self,
        addresses: Sequence[Multiaddr],
        late: Mapping[Multiaddr, Callable[[], Awaitable[Sequence[Multiaddr]]]],
    ) -> L | None:
        """Try the addresses in order; gives the winner, or None when all have failed.

        `late` finds more addresses meanwhile: what each of its functions gives is tried too, and
        an OSError that it raises counts as an attempt at its key.
        """
        self._queue.extend(addresses)
        self._late = len(late)
        self._relays_from = anyio.current_time() + RELAY_DELAY_SECONDS
        try:
            await self._race(late)
        except BaseException:
            if self._winner is not None:  # it came while the dial was being given up
                await self._discard(self._winner)
            raise
        return self._winner

    async def _race(
        self, late: Mapping[Multiaddr, Callable[[], Awaitable[Sequence[Multiaddr]]]]
    ) -> None:
        async with anyio.create_task_group() as tasks:
            for name, find in late.items():
                tasks.start_soon(self._find, name, find)
            while self._winner is None and (self._queue or self._running or self._late):
                self._start_next(tasks)
                with anyio.move_on_after(STAGGER_SECONDS if self._queue else None):
                    await self._changed.wait()
                self._changed = anyio.Event()
            tasks.cancel_scope.cancel()

    async def _find(
        self, name: Multiaddr, find: Callable[[], Awaitable[Sequence[Multiaddr]]]
    ) -> None:
        try:
            self._queue.extend(await find())
        except OSError as error:
            self.attempts.append((name, error))
        finally:
            self._late -= 1
            self._changed.set()

    def _start_next(self, tasks: TaskGroup) -> None:
        if not self._queue or self._running >= PARALLEL:
            return
        too_early = anyio.current_time() < self._relays_from
        if self._running and too_early and is_relayed(self._queue[0]):
            return
        self._running += 1
        tasks.start_soon(self._try, self._queue.popleft())

    async def _try(self, address: Multiaddr) -> None:
        try:
            link = await self._attempt(address)
        except self._failures as error:
            self.attempts.append((address, error))
        else:
            if self._winner is None:
                self._winner = link
            else:
                await self._discard(link)
        finally:
            self._running -= 1
            self._changed.set()
