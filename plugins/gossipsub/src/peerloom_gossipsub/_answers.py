"""Answers: what each command does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from peerloom.plugin import TopicJoined, TopicLeft

from ._actions import Priority, Send
from ._commands import (
    Flush,
    Flushed,
    HoldPeers,
    MeshPeers,
    MeshStats,
    PeerScores,
    Publish,
    Published,
    SetPeerScore,
    SetValidator,
    Subscribe,
    SubscribedPeers,
    Unsubscribe,
)
from ._errors import PublishError
from ._events import Subscribed, Unsubscribed
from ._signing import Publisher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from peerloom import Event, PeerId
    from peerloom.plugin import CommandHandler

    from ._engine import Engine
    from ._link import PeerLink
    from ._publishing import Publication
    from ._rpc import WireMessage
    from ._wishes import Wish

_LOG = logging.getLogger("peerloom.gossipsub")


class Answers:
    """The handlers of the plugin's commands."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ctx = engine.ctx
        self._has_warned = False
        first = int(self._ctx.runtime.wall_time() * 1e9)
        self._listeners = engine.wishes.listeners
        self._publisher = Publisher(self._ctx.identity, engine.config.signing, first)

    def command_handlers(self) -> list[CommandHandler]:
        """What it answers."""
        return [
            Subscribe.handled_by(self._subscribe),
            Unsubscribe.handled_by(self._unsubscribe),
            Publish.handled_by(self._publish),
            Flush.handled_by(self._flush),
            MeshPeers.handled_by(self._mesh_peers),
            SubscribedPeers.handled_by(self._subscribed_peers),
            HoldPeers.handled_by(self._hold_peers),
            MeshStats.handled_by(self._mesh_stats),
            PeerScores.handled_by(self._peer_scores),
            SetPeerScore.handled_by(self._set_peer_score),
            SetValidator.handled_by(self._set_validator),
        ]

    async def _subscribe(self, command: Subscribe) -> bool:
        is_new = self._listeners.add(command.topic, command.by)
        if self._engine.router.subscribe(command.topic, self._engine.now()):
            self._tell(TopicJoined(command.topic), Subscribed(command.topic))
            self._warn_of_many_topics()
        return is_new

    def _warn_of_many_topics(self) -> None:
        most = self._engine.config.max_topics_per_peer
        if self._has_warned or len(self._engine.router.mesh_sizes()) <= most:
            return
        self._has_warned = True
        _LOG.warning(
            "subscribed to more than %d topics: peers whose max_topics_per_peer is no more will "
            "not know of them all, so raise it there; some other implementations bound it, too",
            most,
        )

    async def _unsubscribe(self, command: Unsubscribe) -> bool:
        topic = command.topic
        was_there = self._listeners.remove(topic, command.by)
        if topic not in self._listeners and self._engine.router.unsubscribe(
            topic, self._engine.now()
        ):
            self._tell(TopicLeft(topic), Unsubscribed(topic))
        return was_there

    def _tell(self, *events: Event) -> None:
        self._engine.act()
        for event in events:
            self._ctx.emit(event)

    def _publish(self, command: Publish) -> Published | Awaitable[Published]:
        # Nearly always there is room, and then a task for each message would cost as much again.
        engine = self._engine
        message = self._publisher.make(command.topic, command.data)
        try:
            publication = engine.router.publish(message, engine.now())
        except PublishError as error:
            engine.losses[f"own message refused: {type(error).__name__}"] += 1
            raise
        slow: Sequence[PeerLink] = ()
        for action in engine.router.take():
            if isinstance(action, Send) and action.priority is Priority.DATA:
                slow = engine.links.offer(action)  # there is one: this message
            else:
                engine.do(action)
        if slow:
            return self._publish_patiently(publication, message, slow)
        return Published(publication.message_id, len(publication.peers), 0)

    async def _publish_patiently(
        self, publication: Publication, message: WireMessage, slow: Sequence[PeerLink]
    ) -> Published:
        skipped = await self._engine.links.wait_for_room(slow, message)
        return Published(publication.message_id, len(publication.peers) - skipped, skipped)

    async def _flush(self, command: Flush) -> Flushed:
        links, patience = self._engine.links, command.patience_seconds
        return Flushed(*await links.flush(patience, is_last=command.is_last))

    async def _mesh_peers(self, command: MeshPeers) -> tuple[PeerId, ...]:
        return tuple(self._engine.router.mesh_peers(command.topic))

    async def _subscribed_peers(self, command: SubscribedPeers) -> tuple[PeerId, ...]:
        return tuple(self._engine.router.subscribed_peers(command.topic))

    async def _hold_peers(self, _: HoldPeers) -> Wish:
        return self._engine.wishes.wait_for_peers()

    async def _mesh_stats(self, _: MeshStats) -> Mapping[str, int]:
        return self._engine.router.mesh_sizes()

    async def _peer_scores(self, _: PeerScores) -> Mapping[PeerId, float]:
        return self._engine.router.peer_scores()

    async def _set_peer_score(self, command: SetPeerScore) -> None:
        self._engine.router.set_peer_score(command.peer, command.score)

    async def _set_validator(self, command: SetValidator) -> Wish:
        return self._engine.wishes.validate(command.topic, command.validator)
