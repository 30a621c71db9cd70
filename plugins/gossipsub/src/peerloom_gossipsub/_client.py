"""Gossipsub: the gossipsub plugin's commands as methods."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from peerloom import NetworkClient, NodeClosed

from ._commands import (
    Flush,
    HoldPeers,
    MeshPeers,
    MeshStats,
    PeerScores,
    Publish,
    SetPeerScore,
    SetValidator,
    Subscribe,
    SubscribedPeers,
    Unsubscribe,
)
from ._events import PeerSubscribed
from ._messages import Messages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from peerloom import PeerId

    from ._commands import Flushed, Published, Validator


class Gossipsub:
    """Publish to topics and hear them: ``Gossipsub(node.client)``.

    What is heard comes as `Message`: of one topic by `messages`, and of all topics by
    ``node.client.events(Message)``.
    """

    def __init__(self, client: NetworkClient) -> None:
        """Use a node's gossipsub plugin; raises `NoHandler` if it has none."""
        if not isinstance(client, NetworkClient):
            raise TypeError(
                f"Gossipsub needs a node's client, not {client!r}: write Gossipsub(node.client)"
            )
        client.require(Publish)
        self._client = client

    def messages(self, topic: str) -> Messages:
        """Hear a topic in a block: ``async with gossip.messages("news") as messages``.

        Entering it raises `TopicTooLong`. Iterating gives `Message` objects of that topic and
        nothing else, whoever else in the program hears it or another.
        """
        return Messages(self._client, topic)

    async def subscribe(self, topic: str) -> bool:
        """Hear a topic until `unsubscribe`; gives whether that is new. Raises `TopicTooLong`."""
        return await self._client.call(Subscribe(topic))

    async def unsubscribe(self, topic: str) -> bool:
        """Undo `subscribe`; gives whether there was one. Blocks of `messages` hear on."""
        return await self._client.call(Unsubscribe(topic))

    async def publish(self, topic: str, data: bytes | bytearray | memoryview) -> Published:
        """Publish a message; returns when it is queued for every peer that it goes to.

        A peer whose queue stays full is skipped, and counted in the answer. Raises
        `NoPeersSubscribedToTopic`, `MessageTooLarge`, `TopicTooLong`, `Duplicate`, and TypeError
        for a topic that is no text or data that is no bytes.
        """
        return await self._client.call(Publish(topic, data))

    async def flush(self, patience_seconds: float = 30.0, *, is_last: bool = False) -> Flushed:
        """Wait until the peers have what was published; gives how many have, and have not.

        A node that ends sends what is queued for a second only, and over a slow link much is left:
        say `is_last` before that, which waits until peers have read all. Whoever takes nothing for
        `patience_seconds` is not waited for.
        """
        return await self._client.call(Flush(patience_seconds, is_last))

    async def mesh_peers(self, topic: str) -> tuple[PeerId, ...]:
        """The peers of a topic's mesh: those that get every message from this node."""
        return await self._client.call(MeshPeers(topic))

    async def subscribed_peers(self, topic: str) -> tuple[PeerId, ...]:
        """The connected peers that are subscribed to a topic, in the mesh or not."""
        return await self._client.call(SubscribedPeers(topic))

    async def wait_for_peers(self, topic: str, count: int = 1) -> tuple[PeerId, ...]:
        """Wait until so many connected peers are subscribed to a topic, and give all that are.

        Meanwhile this node keeps its connections to those that are not, up to `max_held_peers`.
        """
        async with self._client.events(PeerSubscribed) as news:
            wish = await self._client.call(HoldPeers())
            try:
                while len(peers := await self.subscribed_peers(topic)) < count:
                    if await anext(news, None) is None:
                        raise NodeClosed("the node has stopped, so nobody will subscribe")
            finally:
                wish.end()
        return peers

    async def mesh_stats(self) -> Mapping[str, int]:
        """How many peers the mesh of each of this node's topics has."""
        return await self._client.call(MeshStats())

    async def peer_scores(self) -> Mapping[PeerId, float]:
        """The score of each connected peer that speaks gossipsub."""
        return await self._client.call(PeerScores())

    async def set_peer_score(self, peer: PeerId | str, score: float) -> None:
        """Tell what the application thinks of a peer, by a finite number; 0 for nothing.

        Raises ValueError for text that is no peer id, and for a number that is not finite.
        """
        await self._client.call(SetPeerScore(peer, score))

    @asynccontextmanager
    async def validate(self, topic: str, validator: Validator) -> AsyncGenerator[None, None]:
        """Judge the topic's messages by an async function while the block lasts.

        Raises TypeError for one that is not async, and `TopicHasValidator` for a second one.
        """
        wish = await self._client.call(SetValidator(topic, validator))
        try:
            yield
        finally:
            wish.end()
