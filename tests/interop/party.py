"""Party: one side of a scenario, a foreign peer or our own node, driven by the same verbs."""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections import deque
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Fields = dict[str, Any]

EVENT_SECONDS: Final = 10
_LOG_LINES: Final = 60
_LOG_EVENTS: Final = 20
_EVENTS: Final = 10_000  # no scenario makes more; the oldest go first


_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_CPUCLOCK_SCHED: Final = 2  # linux/posix-timers.h


class PartyGone(Exception):
    """The party has ended."""


class Party(ABC):
    """One side of a scenario; the verbs and events are those of README.md.

    Attributes:
        kind: which implementation, such as ``js``.
        id: its peer id, in text.
        events: what it told so far, oldest first.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.id = ""
        self.events: deque[Fields] = deque(maxlen=_EVENTS)
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._changed = anyio.Event()
        self._gone = False

    @property
    def log(self) -> str:
        """The end of its log and of what it told, for whoever reads of a failure."""
        told = [json.dumps(event) for event in self.events][-_LOG_EVENTS:]
        log = [f"--- log of {self.kind} ({self.id}) ---", *self._log]
        return "\n".join([*log, f"--- events of {self.kind} ---", *told])

    @property
    @abstractmethod
    def address(self) -> str:
        """An address that it listens on, with its peer id."""

    @abstractmethod
    async def dial(self, address: str) -> None:
        """Connect to somebody."""

    @abstractmethod
    async def disconnect(self, peer: str) -> None:
        """Close its connections to a peer."""

    @abstractmethod
    async def connections(self) -> list[Fields]:
        """What it is connected to."""

    @abstractmethod
    async def identify(self, peer: str) -> Fields:
        """What it knows of a peer by now."""

    @abstractmethod
    async def handle(self, protocol: str) -> None:
        """Serve one more protocol from now on."""

    @abstractmethod
    async def unhandle(self, protocol: str) -> None:
        """Serve a protocol no longer."""

    @abstractmethod
    async def ping(self, peer: str) -> float:
        """Ping a peer; gives the round trip in milliseconds."""

    @abstractmethod
    async def perf(self, peer: str, upload: int, download: int) -> float:
        """Run perf once; gives its seconds."""

    @abstractmethod
    async def run(self, script: str, peer: str, nbytes: int, seed: int, **more: Any) -> Fields:
        """Run one of the stream scripts: ``echo``, ``sink``, ``source`` and so on."""

    @abstractmethod
    async def frames(self, peer: str, sizes: Sequence[int], seed: int) -> Fields:
        """Send frames of those sizes over ``/test/frames/1`` and take back what comes."""

    @abstractmethod
    async def streams(self) -> list[Fields]:
        """The scripted streams that are open now."""

    @abstractmethod
    async def release(self, stream: int) -> None:
        """Let a held or stalled stream read on."""

    @abstractmethod
    def memory_bytes(self) -> int:
        """What its process holds in memory."""

    async def event(
        self,
        name: str,
        *,
        where: Callable[[Fields], bool] = lambda _event: True,
        within: float = EVENT_SECONDS,
        after: int = 0,
        **fields: Any,
    ) -> Fields:
        """The first event, told already or still to come, that has these fields.

        `after` passes over that many, such as ``len(party.events)`` of before.

        Raises:
            PartyGone: it has ended without it.
            TimeoutError: it did not come in time.
        """
        wanted = {"event": name, **fields}

        def find() -> Fields | None:
            for event in islice(self.events, after, None):
                if wanted.items() <= event.items() and where(event):
                    return event
            return None

        return await self._wait_for(find, within, f"the event {wanted}")

    def tell(self, event: str, /, **fields: object) -> None:
        """Add an event and wake whoever waits for one."""
        self.events.append({"event": event, **fields})
        self._wake()

    def _end(self) -> None:
        self._gone = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _wait_for(
        self, find: Callable[[], Fields | None], within: float, what: str
    ) -> Fields:
        with anyio.move_on_after(within):
            while (found := find()) is None:
                if self._gone:
                    raise PartyGone(f"{self.kind} ended before {what}")
                await self._changed.wait()
            return found
        raise TimeoutError(f"{self.kind} did not give {what} within {within} s")


def resident_bytes(process: int) -> int:
    """What a process holds in memory."""
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * _PAGE_BYTES


def processor_seconds(process: int) -> float:
    """What a process has used of a core since it began, in the system and outside of it."""
    # The number of another process's clock, as clock_getcpuclockid(3) makes it: nanoseconds,
    # where /proc has hundredths of a second.
    return time.clock_gettime((~process << 3) | _CPUCLOCK_SCHED)
