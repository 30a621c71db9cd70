"""IncomingStreams: the streams that others open, waiting to be taken."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

import anyio

from peerloom import NodeClosed

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING: Final = 256  # as many as one connection may have open; more are refused


class _Resettable(Protocol):
    def reset(self) -> None: ...


S = TypeVar("S", bound=_Resettable)


class IncomingStreams(Generic[S]):
    """An async iterator of the streams that others open under one protocol id.

    Whoever takes a stream owns it. Up to 256 wait to be taken; further ones are refused.

    Attributes:
        protocol: the protocol id.
    """

    def __init__(self, protocol: str, on_close: Callable[[], None]) -> None:
        self.protocol = protocol
        self._on_close = on_close
        self._waiting: deque[S] = deque()
        self._arrived = anyio.Event()
        self._closed = False

    def offer(self, stream: S) -> bool:
        """Put a stream into the queue; gives whether it was taken."""
        if self._closed or len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(stream)
        self._wake()
        return True

    async def receive(self) -> S:
        """The next stream; raises `NodeClosed` once the plugin has stopped."""
        while not self._waiting:
            if self._closed:
                raise NodeClosed(f"streams of {self.protocol} are no longer accepted: accept anew")
            await self._arrived.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Accept no more; streams that nobody took are reset."""
        if self._closed:
            return
        self._closed = True
        self._wake()
        while self._waiting:
            self._waiting.popleft().reset()
        self._on_close()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = anyio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> S:
        return await self.receive()
