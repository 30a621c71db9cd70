"""Host and Duplex: what a worker needs of a libp2p implementation written in Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskStatus

Fields = dict[str, Any]

LOOPBACK: Final = "127.0.0.1"


class Duplex(ABC):
    """A stream, as the scripts of this folder use it."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send all of it, held back by the reader."""

    @abstractmethod
    async def receive(self) -> bytes:
        """What has come, in pieces of the size that suits the implementation; b"" at the end."""

    @abstractmethod
    async def close(self) -> None:
        """Close both halves."""


class Host(ABC):
    """A node."""

    @abstractmethod
    async def run(
        self,
        served: Mapping[str, Callable[[Duplex], Awaitable[None]]],
        *,
        transport: str,
        security: str,
        ip: str,
        task_status: TaskStatus[Fields],
    ) -> None:
        """Listen on the address, answer ``start``, run until cancelled."""

    @abstractmethod
    async def dial(self, address: str) -> None:
        """Connect to somebody; the address ends in ``/p2p/<peer>``."""

    @abstractmethod
    async def dial_identified(self, address: str) -> None:
        """Connect to somebody, and wait until it has said who it is."""

    @abstractmethod
    async def disconnect(self, peer: str) -> None:
        """Close the connections to a peer."""

    def window_after(self, seconds: float) -> int:  # noqa: ARG002
        """How large the newest bulk stream's receive window was then; 0 where nobody knows."""
        return 0

    @abstractmethod
    async def open(self, peer: str, protocol: str) -> Duplex:
        """Open a stream."""
