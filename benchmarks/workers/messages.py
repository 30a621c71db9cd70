"""The messages that gossipsub benchmarks publish, and how a receiver proves that it has them all.

js/messages.mjs has the same in JavaScript.
"""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import TYPE_CHECKING, Final

import anyio

from .payload import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC: Final = "bench"
NUMBER_BYTES: Final = 8
_SEED: Final = 1
_RING: Final = blocks_of(_SEED)


def message(number: int, nbytes: int) -> bytes:
    """The message of that number: no two are alike."""
    block = _RING[number % len(_RING)]
    return number.to_bytes(NUMBER_BYTES, "big") + block[: nbytes - NUMBER_BYTES]


def digest_of(messages: Iterable[bytes]) -> str:
    """The hash of these messages, in whatever order they came."""
    digest = hashlib.sha256()
    for each in sorted(messages):
        digest.update(each)
    return digest.hexdigest()


class Heard:
    """What one node has heard; kept while the clock runs, and looked at afterwards."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._times: list[float] = []
        self._wanted = 0
        self._all = anyio.Event()

    def expect(self, count: int) -> None:
        """Begin anew, up to this many."""
        self._messages, self._times = [], []
        self._wanted, self._all = count, anyio.Event()
        if not count:
            self._all.set()

    def take(self, data: bytes) -> None:
        """A message has come."""
        self._messages.append(data)
        self._times.append(perf_counter())
        if len(self._messages) == self._wanted:
            self._all.set()

    @property
    def count(self) -> int:
        """How many have come."""
        return len(self._messages)

    async def wait(self) -> None:
        """Until as many have come as were expected."""
        await self._all.wait()

    def report(self) -> dict[str, object]:
        """How many came, their hash, and when the last one did, on the machine's clock."""
        return {
            "count": len(self._messages),
            "digest": digest_of(self._messages),
            "last": max(self._times, default=0.0),
        }

    def arrivals(self) -> dict[int, float]:
        """When each came, by its number."""
        numbers = (int.from_bytes(each[:NUMBER_BYTES], "big") for each in self._messages)
        return dict(zip(numbers, self._times, strict=True))
