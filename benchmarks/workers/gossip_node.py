"""GossipNode: what a worker needs of a gossipsub written in Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from .messages import Heard

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

Fields = dict[str, Any]


class GossipNode(ABC):
    """A node that is subscribed to the benchmarks' topic.

    Attributes:
        heard: the messages of others.
    """

    def __init__(self) -> None:
        self.heard = Heard()

    @abstractmethod
    async def run(self, *, security: str, signed: bool, task_status: TaskStatus[Fields]) -> None:
        """Listen, subscribe, answer with ``start``'s facts, run until cancelled."""

    @abstractmethod
    async def dial(self, address: str) -> None:
        """Connect to somebody."""

    @abstractmethod
    async def mesh_size(self) -> int:
        """How many peers are in the topic's mesh."""

    @abstractmethod
    async def publish(self, data: bytes) -> None:
        """Publish a message."""
