"""Recorder: hears a node's events, waits for them, and says what it heard when they do not come."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Self, TypeVar, overload

import anyio

from peerloom._events import Event

from ._conditions import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from peerloom._client import NetworkClient

E = TypeVar("E", bound=Event)

WITHIN_SECONDS: Final = 5.0  # a slow machine's time for what takes milliseconds
SILENCE_SECONDS: Final = 0.1
MAX_RECORDED: Final = 65_536
_SHOWN: Final = 20
_SHOWN_CHARACTERS: Final = 200


class Recorder:
    """Records events of some types: ``with Recorder(node.client) as heard:``; without a type, all.

    What waits takes each event once, wherever it stands among others: ``await heard.next(A)`` and
    then ``await heard.next(B)`` also find a B that came before the A.

    Attributes:
        seen: every event so far, oldest first.
        event_classes: what it hears.
    """

    def __init__(self, client: NetworkClient, *event_classes: type[Event]) -> None:
        self.seen: list[Event] = []
        self.event_classes: tuple[type[Event], ...] = event_classes or (Event,)
        self._board = client._loop.board  # noqa: SLF001 - of the same distribution
        self._untaken: list[Event] = []
        self._missed = 0
        self._ended = False
        self._news = anyio.Event()

    def __enter__(self) -> Self:
        self._board.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._board.remove(self)
        self.end()

    @property
    def room(self) -> int:
        """How many more events a producer that can wait may offer; the node asks."""
        return MAX_RECORDED

    def offer(self, event: Event) -> None:
        """Record an event; the node calls it."""
        if len(self.seen) >= MAX_RECORDED:
            self._missed += 1
            return
        self.seen.append(event)
        self._untaken.append(event)
        self._notify()

    def end(self) -> None:
        """Nothing more comes: whoever waits fails; the node calls it."""
        self._ended = True
        self._notify()

    def of(self, kind: type[E]) -> list[E]:
        """The events of a type so far, taken or not."""
        return [event for event in self.seen if isinstance(event, kind)]

    @overload
    async def next(
        self, kind: type[E], matches: None = None, *, within: float = WITHIN_SECONDS
    ) -> E: ...
    @overload
    async def next(
        self, kind: type[E], matches: Callable[[E], object], *, within: float = WITHIN_SECONDS
    ) -> E: ...

    async def next(
        self,
        kind: type[E],
        matches: Callable[[E], object] | None = None,
        *,
        within: float = WITHIN_SECONDS,
    ) -> E:
        """The oldest event of a type that was not taken yet, waiting for it if need be.

        Raises AssertionError, which tells what came instead, after so many seconds.
        """
        found = await self._wait_for(kind, matches, within)
        if found is None:
            raise AssertionError(f"no {_wanted(kind, matches)} {self._when(within)}; {self}")
        self._untaken.remove(found)
        return found

    async def several(
        self,
        kind: type[E],
        count: int,
        matches: Callable[[E], object] | None = None,
        *,
        within: float = WITHIN_SECONDS,
    ) -> list[E]:
        """So many of them, each as `next` gives it, all within one time."""
        deadline = anyio.current_time() + within
        taken: list[E] = []
        while len(taken) < count:
            found = await self._wait_for(kind, matches, deadline - anyio.current_time())
            if found is None:
                raise AssertionError(
                    f"{len(taken)} and not {count} {_wanted(kind, matches)} {self._when(within)}; "
                    f"{self}"
                )
            self._untaken.remove(found)
            taken.append(found)
        return taken

    async def nothing(
        self,
        kind: type[E],
        matches: Callable[[E], object] | None = None,
        *,
        within: float = SILENCE_SECONDS,
    ) -> None:
        """See that no such event is there untaken, nor comes within so many seconds."""
        found = await self._wait_for(kind, matches, within)
        if found is not None:
            raise AssertionError(
                f"{_wanted(kind, matches)} although none should come: {_shown(found)}; {self}"
            )

    def __str__(self) -> str:
        if not self.seen:
            return "it heard nothing"
        counts = Counter(type(event).__name__ for event in self.seen)
        summary = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        missed = f"; {self._missed} more were not recorded" if self._missed else ""
        return f"it heard {summary}{missed}:\n{_listed(self.seen, self._untaken)}"

    async def _wait_for(
        self, kind: type[E], matches: Callable[[E], object] | None, within: float
    ) -> E | None:
        found = self._find(kind, matches)
        with anyio.move_on_after(within):
            while found is None and not self._ended:
                if self._news.is_set():  # others may wait for it as well
                    self._news = anyio.Event()
                await self._news.wait()
                found = self._find(kind, matches)
        return found

    def _find(self, kind: type[E], matches: Callable[[E], object] | None) -> E | None:
        for event in self._untaken:
            if isinstance(event, kind) and (matches is None or matches(event)):
                return event
        return None

    def _when(self, within: float) -> str:
        return "before the node stopped" if self._ended else f"within {within:g} s"

    def _notify(self) -> None:
        self._news.set()


def _wanted(kind: type[Event], matches: Callable[..., object] | None) -> str:
    return kind.__name__ if matches is None else f"{kind.__name__} that matches {place_of(matches)}"


def _listed(seen: Sequence[Event], untaken: Sequence[Event]) -> str:
    waiting = {id(event) for event in untaken}
    lines = [
        f"  {number}. {_shown(event)}{'' if id(event) in waiting else ' (taken)'}"
        for number, event in enumerate(seen, start=1)
    ]
    left_out = len(lines) - _SHOWN
    return "\n".join(lines if left_out <= 0 else [f"  … {left_out} before", *lines[-_SHOWN:]])


def _shown(event: Event) -> str:
    text = repr(event)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
