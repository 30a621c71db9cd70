"""GossipsubBehaviour: one node's gossipsub, as the swarm and the loop see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peerloom import PeerConnected, PeerDisconnected
from peerloom.plugin import Behaviour, IdentifyReceived, InboundProtocol

from ._answers import Answers
from ._engine import Engine
from ._holding import Holding
from ._meters import Meters
from ._protocols import PROTOCOLS, VERSIONS
from ._reception import Reception

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerloom.plugin import CommandHandler, ConnectionInfo, EventHandler, PluginContext

    from ._wishes import Wishes


class GossipsubBehaviour(Behaviour):
    """Serves the streams of others, hears who comes and goes, and keeps time."""

    def __init__(self, ctx: PluginContext, wishes: Wishes) -> None:
        self._ctx = ctx
        self._engine = Engine(ctx, wishes)
        self._answers = Answers(self._engine)
        config, router = self._engine.config, self._engine.router
        self._holding = Holding(router, wishes, config, self._engine.now)
        self._reception = Reception(self._engine)
        self._meters = Meters(ctx.metrics)
        inbound = InboundProtocol(
            self._reception.serve,
            max_streams_per_peer=4,
            runs_on_limited=True,
            holds_connection=False,
        )
        self.protocols = dict.fromkeys(PROTOCOLS, inbound)

    def start(self) -> None:
        """Begin the heartbeat, to verify and to deliver."""
        self._engine.begin()
        self._ctx.spawn(self._engine.validation.run)
        self._ctx.spawn(self._engine.delivery.run)
        self._ctx.spawn(self._engine.news.run)
        self._arm()

    async def finish(self) -> None:
        """Send what is on its way, and end every stream."""
        self._engine.validation.finish()
        await self._engine.finish()

    def event_handlers(self) -> list[EventHandler]:
        """What it hears."""
        return [
            IdentifyReceived.heard_by(self._on_identified),
            PeerConnected.heard_by(self._on_connected),
            PeerDisconnected.heard_by(self._on_disconnected),
        ]

    def command_handlers(self) -> list[CommandHandler]:
        """What it answers."""
        return self._answers.command_handlers()

    def keep_alive(self, connection: ConnectionInfo) -> bool:
        """Whether the peer is explicit, in a mesh, or one of those that are of use."""
        return connection.peer in self._holding

    def status(self) -> Mapping[str, Any]:
        """What it does, for the node's status."""
        return {**self._engine.status(), **self._reception.figures()}

    def _on_identified(self, event: IdentifyReceived) -> None:
        spoken = [VERSIONS[name] for name in PROTOCOLS if name in event.protocols]
        if spoken:
            self._engine.links.meet(event.peer, spoken[0])
            self._engine.router.certified(event.peer, event.signed_record)

    def _on_connected(self, event: PeerConnected) -> None:
        # Perhaps a peer that has restarted, while its old connection still stands here.
        self._engine.links.renew(event.peer)

    def _on_disconnected(self, event: PeerDisconnected) -> None:
        self._engine.disconnected(event.peer, event.connection.id, event.remaining)

    def _beat(self) -> None:
        self._engine.heartbeat()
        self._meters.follow({**self._engine.figures(), **self._reception.figures()})
        self._arm()

    def _arm(self) -> None:
        seconds = self._engine.config.heartbeat_seconds
        self._ctx.wake_at(self._engine.now() + seconds, self._beat)
