"""Streams: numbers the scripted streams of a Python party, tells of them, holds those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio
from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .pipe import Pipe
    from .scripts import Fields

T = TypeVar("T")

_RESET_SECONDS = 1


class Tell(Protocol):
    """Takes an event of README.md."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


@define
class _Entry:
    facts: Fields
    pipe: Pipe
    released: anyio.Event = field(factory=anyio.Event)


class Streams:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._open: dict[int, _Entry] = {}
        self._last = 0

    async def run(
        self,
        pipe: Pipe,
        script: Callable[[Pipe, anyio.Event], Awaitable[T]],
        *,
        peer: str,
        protocol: str,
        role: str,
        held: bool = False,
    ) -> T:
        """Run a script over a stream; whatever it raises resets the stream."""
        entry = self._add(pipe, {"protocol": protocol, "peer": peer, "role": role})
        if not held:
            entry.released.set()
        error: BaseException | None = None
        try:
            return await script(pipe, entry.released)
        except BaseException as caught:
            error = caught
            with anyio.move_on_after(_RESET_SECONDS, shield=True):
                await pipe.reset()
            raise
        finally:
            self._remove(entry, error)

    def list(self) -> list[Fields]:
        """The streams that are open now."""
        return [
            {**entry.facts, "sent": entry.pipe.sent, "received": entry.pipe.received}
            for entry in self._open.values()
        ]

    def release(self, number: int) -> None:
        """Let a held stream read on; raises LookupError if there is none of that number."""
        if number not in self._open:
            raise LookupError(f"no open stream {number}")
        self._open[number].released.set()

    def _add(self, pipe: Pipe, facts: Fields) -> _Entry:
        self._last += 1
        entry = _Entry({"stream": self._last, **facts}, pipe)
        self._open[self._last] = entry
        self._tell("stream-opened", **entry.facts)
        return entry

    def _remove(self, entry: _Entry, error: BaseException | None) -> None:
        pipe = entry.pipe
        del self._open[entry.facts["stream"]]
        self._tell(
            "stream-ended",
            **entry.facts,
            how="reset" if pipe.was_reset else "end",
            sent=pipe.sent,
            received=pipe.received,
            received_sha256=pipe.digest(),
            error=f"{type(error).__name__}: {error}" if error else None,
        )
