"""Engine: the router with a clock and with hands."""

from __future__ import annotations

from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final

from peerloom.plugin import Role

from ._actions import Connect, Deliver, Judge, PeerJoined, PeerLeft, Send, Verify
from ._backlog import Backlog
from ._delivery import Delivery
from ._dials import Dials
from ._events import Message, PeerSubscribed, PeerUnsubscribed, message_of
from ._ips import IpTable
from ._link_table import LinkTable
from ._lives import Lives
from ._router import Router
from ._validation import Validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peerloom import PeerId
    from peerloom.plugin import PluginContext

    from ._actions import Action, Version
    from ._config import GossipsubConfig
    from ._rpc import Rpc, Subscription
    from ._wishes import Wishes

MAX_TOLD_SCORES: Final = 64  # of many bad peers the worst


class Engine:
    """Tells the router what happens, and does at once what it asks for.

    Attributes:
        ctx: the plugin's context.
        config: its settings.
        router: after anything else than the methods here has spoken to it, call `act`.
        links: the ways to the peers.
        dials: to those that are not connected.
        losses: what did not reach the router, or a peer's stream, by cause.
        validation: how messages are verified and judged.
        delivery: how the application gets them.
        news: how it gets to know who joins and leaves, at a pace that peers do not set.
        backlog: what is not done with.
        wishes: what the application has asked for.
    """

    def __init__(self, ctx: PluginContext, wishes: Wishes) -> None:
        self.ctx = ctx
        self.config: GossipsubConfig = ctx.config
        self.router = Router(self.config, ctx.local_peer, ctx.runtime.random, scores=wishes.scores)
        self.losses: Counter[str] = Counter()
        self.links = LinkTable(ctx, self._greet, self.losses)
        self.dials = Dials(ctx, self.losses)
        self._lives = Lives()
        self._ips = IpTable(self.config.score.ip_colocation_allowed)
        self.delivery = Delivery(ctx, self.losses, self._shrank, Message)
        self.news = Delivery(ctx, self.losses, self._shrank, PeerSubscribed, PeerUnsubscribed)
        self.backlog = Backlog(self.config, self.router, self.delivery, self.news)
        self.wishes = wishes
        self.validation = Validation(ctx, self.router, wishes.validators, self.losses, self._done)

    def now(self) -> float:
        """The time that the router is told."""
        return self.ctx.runtime.now()

    def begin(self) -> None:
        """Take up what an earlier life of the plugin was asked for."""
        self.wishes.listeners.forget_who_left()
        for topic in self.wishes.listeners.topics:
            self.router.subscribe(topic, self.now())
        self.act()

    async def finish(self) -> None:
        """Send what is on its way, and end every stream; another life may follow."""
        await self.links.finish()

    def receive(self, peer: PeerId, rpc: Rpc, connection_id: int) -> None:
        """A peer has sent an RPC, or a part of one, over a connection."""
        self._lives.heard(peer, connection_id)
        if rpc.subscriptions:
            told = [each.topic for each in rpc.subscriptions]
            self._lives.told(peer, connection_id, self.router.topics_of(peer), told)
        self.router.receive(peer, rpc, self.now())
        self.act()

    def answer(self, peer: PeerId, subscriptions: Sequence[Subscription]) -> None:
        """All of an RPC with these has been received."""
        self.router.answer(peer, subscriptions, self.now())
        self.act()

    def disconnected(self, peer: PeerId, connection_id: int, remaining: int) -> None:
        """A connection to a peer has ended; so many remain."""
        if remaining:
            self.router.forget_subscriptions(peer, self._lives.ended(peer, connection_id))
            self.router.seen_at(peer, self._ips.of(self.ctx.connections(peer)))
        else:
            self._lives.gone(peer)
            self.links.lose(peer)
            self.router.disconnect(peer, self.now())
        self.act()

    def heartbeat(self) -> None:
        """Maintain everything."""
        self.router.heartbeat(self.now(), is_behind=self.backlog.has_been_full())
        self.act()

    def act(self) -> None:
        """Do what the router asks for."""
        for action in self.router.take():
            self.do(action)

    def do(self, action: Action) -> None:
        """Do one thing that the router has asked for."""
        match action:
            case Send():
                self.links.send(action)
            case Verify():
                self.validation.verify(action.arrival)
            case Judge():
                self.validation.judge(action.arrival)
            case Deliver():
                self.delivery.add(message_of(action.arrival))
            case PeerJoined():
                self.news.add(PeerSubscribed(action.peer, action.topic))
            case PeerLeft():
                self.news.add(PeerUnsubscribed(action.peer, action.topic))
            case Connect():
                self.dials.begin(action)

    def status(self) -> Mapping[str, Any]:
        """What it does, for the node's status: the figures, and who is thought badly of."""
        bad = self._bad_scores()
        return {
            **self.figures(),
            "bad_scores": {str(peer): score for peer, score in bad.items()},
            "graylisted": [str(peer) for peer in bad if self.router.is_graylisted(peer)],
        }

    def figures(self) -> Mapping[str, Any]:
        """What can be told at every heartbeat."""
        return {
            "meshes": self.router.mesh_sizes(),
            "peers": len(self.links),
            "pending_bytes": self.backlog.bytes,
            "unread_messages": len(self.delivery),
            "waiting_bytes": self.links.waiting_bytes,
            "counts": dict(self.losses + Counter(self.router.counts())),
        }

    def _bad_scores(self) -> Mapping[PeerId, float]:
        scores = self.router.peer_scores()
        bad = [peer for peer, score in scores.items() if score < 0]
        return {peer: scores[peer] for peer in nsmallest(MAX_TOLD_SCORES, bad, scores.__getitem__)}

    def _done(self) -> None:
        self._shrank()
        self.act()

    def _shrank(self) -> None:
        self.backlog.shrank()

    def _greet(self, peer: PeerId, version: Version) -> None:
        connections = self.ctx.connections(peer)
        dialled = any(each.role is Role.DIALER for each in connections)
        ips = self._ips.of(connections)
        self.router.connect(peer, version, is_outbound=dialled, ips=ips)
        self.router.remind(peer)
        self.act()
