"""One router among peers that only exist on paper."""

from __future__ import annotations

import random

from peerloom_gossipsub._actions import (
    Connect,
    Deliver,
    Judge,
    PeerJoined,
    Send,
    Verdict,
    Verify,
    Version,
)
from peerloom_gossipsub._config import GossipsubConfig
from peerloom_gossipsub._message_ids import MESSAGE_IDS
from peerloom_gossipsub._router import Router
from peerloom_gossipsub._rpc import Rpc, Subscription
from peerloom_gossipsub._signing import Author
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import ANONYMOUS, anonymous

NOBODY = Author(None, None, is_signed=False)
T = "t"


def message_id(message):
    return MESSAGE_IDS["data-hash"](message)


class Alone:
    """The router and its clock; every input gives what it leads to."""

    def __init__(self, **settings):
        self.router = Router(GossipsubConfig(**ANONYMOUS | settings), peer(999), random.Random(1))
        self.now = 100.0

    def peers(self, *numbers, topic=T, outbound=False, version=Version.V1_2):
        """Connect peers that are subscribed."""
        for number in numbers:
            self.router.connect(peer(number), version, is_outbound=outbound)
            if topic is not None:
                self.receive(number, subscriptions=[Subscription(topic, subscribed=True)])
        return self.take()

    def subscribe(self, topic=T):
        self.router.subscribe(topic, self.now)
        return self.take()

    def unsubscribe(self, topic=T):
        self.router.unsubscribe(topic, self.now)
        return self.take()

    def receive(self, number, **content):
        if self.router.hears(peer(number)):
            rpc = Rpc(**content)
            self.router.receive(peer(number), rpc, self.now)
            self.router.answer(peer(number), rpc.subscriptions, self.now)
        return self.take()

    def bring(self, number, data=b"data", topic=T):
        return self.receive(number, messages=[anonymous(topic, data)])

    def accept(self, actions, verdict=Verdict.ACCEPT):
        """Verify and judge what waits in these actions."""
        for action in of_kind(actions, Verify):
            self.router.verified(action.arrival, NOBODY, self.now)
            actions = actions + self.take()
        for action in of_kind(actions, Judge):
            self.router.judged(action.arrival, verdict, self.now)
            actions = actions + self.take()
        return actions

    def publish(self, data=b"data", topic=T):
        publication = self.router.publish(anonymous(topic, data), self.now)
        return publication, self.take()

    def beat(self, count=1, seconds=1.0):
        actions = []
        for _ in range(count):
            self.now += seconds
            self.router.heartbeat(self.now)
            actions += self.take()
        return actions

    def take(self):
        return list(self.router.take())

    def score(self, number):
        return self.router.peer_score(peer(number))

    def mesh(self, topic=T):
        return set(self.router.mesh_peers(topic))


def of_kind(actions, kind):
    return [action for action in actions if isinstance(action, kind)]


def rpcs(actions, number=None):
    """What is sent, to one peer or to all."""
    sends = of_kind(actions, Send)
    return [send.rpc for send in sends if number is None or peer(number) in send.peers]


def everything(actions, kind, number=None):
    """All entries of one kind that are sent."""
    return [entry for rpc in rpcs(actions, number) for entry in getattr(rpc, kind)]


def receivers(actions, kind):
    """Who is sent something of a kind."""
    return {to for send in of_kind(actions, Send) if getattr(send.rpc, kind) for to in send.peers}


def delivered(actions):
    return [action.arrival.message.data for action in of_kind(actions, Deliver)]


def connects(actions):
    return of_kind(actions, Connect)


def joined(actions):
    return of_kind(actions, PeerJoined)


def ids(*numbers):
    return {peer(number) for number in numbers}


def in_mesh(*numbers, **settings):
    router = Alone(**settings)
    router.subscribe()
    router.peers(*numbers)
    for number in numbers:
        router.receive(number, graft=[T])
    return router


def id_of(data):
    return message_id(anonymous(T, data))
