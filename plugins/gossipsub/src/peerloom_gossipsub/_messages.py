"""Messages: what comes of one topic, for one part of a program."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from peerloom import CommandError, Lagged

from ._commands import Subscribe, Unsubscribe
from ._events import Message

if TYPE_CHECKING:
    from peerloom import NetworkClient

_LOG = logging.getLogger("peerloom.gossipsub")


class Messages:
    """A topic's messages: ``async with gossip.messages("news") as messages: async for …``.

    The node is subscribed to the topic while a block lasts, and on where another block or
    `Gossipsub.subscribe` wants it. Iteration ends with the node.

    Attributes:
        topic: the topic.
        missed: how many messages this reader has lost by being slow, perhaps of other topics:
            all of a node's wait in one queue. The first loss is logged as a warning.
        has_left: whether the block is over.
    """

    def __init__(self, client: NetworkClient, topic: str) -> None:
        self.topic = topic
        self.missed: int = 0
        self.has_left: bool = False
        self._client = client
        self._events = client.events(Message)

    async def __aenter__(self) -> Self:
        await self._events.__aenter__()
        try:
            await self._client.call(Subscribe(self.topic, by=self))
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        await self._leave()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while True:
            event = await self._events.__anext__()
            if isinstance(event, Lagged):
                self._count(event)
            elif event.topic == self.topic:
                return event

    async def _leave(self) -> None:
        self.has_left = True  # a plugin that is just being built anew hears it by this
        await self._events.__aexit__(None, None, None)
        with anyio.CancelScope(shield=True), suppress(CommandError):
            await self._client.call(Unsubscribe(self.topic, by=self))

    def _count(self, lagged: Lagged) -> None:
        if not self.missed:
            _LOG.warning(
                "a reader of topic %r is too slow and has missed %d messages; "
                "`Messages.missed` counts on",
                self.topic,
                lagged.count,
            )
        self.missed += lagged.count
