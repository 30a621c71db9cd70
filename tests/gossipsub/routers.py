"""Routers on lines that keep order; all goes through the codec, nothing happens by itself."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from peerloom_gossipsub._actions import (
    Arrival,
    Connect,
    Deliver,
    Judge,
    PeerJoined,
    PeerLeft,
    Send,
    Verdict,
    Verify,
    Version,
)
from peerloom_gossipsub._config import GossipsubConfig
from peerloom_gossipsub._decode import decode_message, decode_rpc
from peerloom_gossipsub._encode import encode_message, encode_rpc
from peerloom_gossipsub._router import Router
from peerloom_gossipsub._rpc import RpcLimits
from peerloom_gossipsub._signing import InvalidMessage, Verifier
from tests.gossipsub.peers import peer

if TYPE_CHECKING:
    from peerloom import PeerId

LIMITS = RpcLimits()
ANONYMOUS = {"signing": "strict-no-sign", "message_id": "data-hash"}


def anonymous(topic, data):
    return decode_message(encode_message(topic, data))


class Node:
    """A router and what it has asked for."""

    def __init__(self, network, number, config):
        self.network = network
        self.number = number
        self.peer = peer(number)
        self.config = config
        self.router = Router(config, self.peer, random.Random(number))
        self.verifier = Verifier(config.signing)
        self.delivered = []
        self.delivered_at = []
        self.sent = []
        self.wanted_connections = []
        self.told: Counter[tuple[PeerId, str]] = Counter()
        self.to_verify: deque[Arrival] = deque()
        self.to_judge: deque[Arrival] = deque()
        self.verdict = lambda _: Verdict.ACCEPT

    def act(self):
        """Do what the router wants."""
        for action in self.router.take():
            match action:
                case Send():
                    self.sent.append(action)
                    for to in action.peers:
                        self.network.send(self, to, action)
                case Verify():
                    self.to_verify.append(action.arrival)
                case Judge():
                    self.to_judge.append(action.arrival)
                case Deliver():
                    self.delivered.append(action.arrival.message_id)
                    self.delivered_at.append(self.network.now)
                case Connect():
                    self.wanted_connections.append(action)
                case PeerJoined():
                    self.told[action.peer, action.topic] += 1
                case PeerLeft():
                    self.told[action.peer, action.topic] -= 1

    def verify(self, index=0):
        arrival = self.to_verify[index]
        del self.to_verify[index]
        if self.router.is_unwanted(arrival):
            self.router.dropped(arrival)
            return
        try:
            author = self.verifier.verify(arrival.message)
        except InvalidMessage as error:
            self.router.invalid(arrival, error.cause)
        else:
            self.router.verified(arrival, author, self.network.now)
        self.act()

    def judge(self, verdict=None, index=0):
        arrival = self.to_judge[index]
        del self.to_judge[index]
        self.router.judged(arrival, verdict or self.verdict(arrival), self.network.now)
        self.act()

    def receive(self, who, frame):
        if self.router.hears(who):
            rpc = decode_rpc(frame, LIMITS)
            self.router.receive(who, rpc, self.network.now)
            self.router.answer(who, rpc.subscriptions, self.network.now)
        self.act()

    def publish(self, topic, data):
        publication = self.router.publish(anonymous(topic, data), self.network.now)
        self.act()
        return publication

    def subscribe(self, topic):
        self.router.subscribe(topic, self.network.now)
        self.act()

    def unsubscribe(self, topic):
        self.router.unsubscribe(topic, self.network.now)
        self.act()

    def heartbeat(self):
        self.router.heartbeat(self.network.now)
        self.act()


class Network:
    """Nodes, their lines, and the time."""

    def __init__(self, count, **settings):
        self.now = 1000.0
        config = GossipsubConfig(**ANONYMOUS | settings)
        self.nodes = [Node(self, number, config) for number in range(1, count + 1)]
        self.by_peer = {node.peer: node for node in self.nodes}
        self.lines = {}
        self.drop = lambda _sender, _receiver, _send: False
        self.heard = lambda _sender, _receiver, _frame: None
        self.spoken = lambda _sender, _to, _rpc: None

    def connect(self, dialler, listener, version=Version.V1_2):
        self.lines[dialler.peer, listener.peer] = deque()
        self.lines[listener.peer, dialler.peer] = deque()
        dialler.router.connect(listener.peer, version, is_outbound=True)
        listener.router.connect(dialler.peer, version, is_outbound=False)
        dialler.act()
        listener.act()

    def disconnect(self, one, other):
        for near, far in ((one, other), (other, one)):
            del self.lines[near.peer, far.peer]
            near.router.disconnect(far.peer, self.now)
            near.act()

    def send(self, sender, to, send):
        line = self.lines.get((sender.peer, to))
        assert line is not None, f"{sender.number} sends to somebody who is not connected"
        self.spoken(sender, to, send.rpc)
        if not self.drop(sender, self.by_peer.get(to), send):
            line.extend(encode_rpc(send.rpc))

    def deliver(self, key):
        frame = self.lines[key].popleft()
        receiver = self.by_peer[key[1]]
        self.heard(self.by_peer[key[0]], receiver, frame)
        receiver.receive(key[0], frame)

    def settle(self):
        """Let everything that is under way arrive and be judged."""
        moved = True
        while moved:
            moved = False
            for key, line in list(self.lines.items()):
                while line and key[1] in self.by_peer:
                    self.deliver(key)
                    moved = True
            for node in self.nodes:
                while node.to_verify or node.to_judge:
                    if node.to_verify:
                        node.verify()
                    if node.to_judge:
                        node.judge()
                    moved = True

    def pass_heartbeats(self, count=1):
        for _ in range(count):
            self.now += 1
            for node in self.nodes:
                node.heartbeat()
            self.settle()

    def connect_all(self, chance, degree):
        """Every node dials `degree` others: a connected graph."""
        for index, node in enumerate(self.nodes):
            others = [each for each in self.nodes if each is not node]
            chosen = [*chance.sample(others, degree), self.nodes[index - 1]]
            for other in chosen:
                if other is not node and (node.peer, other.peer) not in self.lines:
                    self.connect(node, other)
        self.settle()


def spoken(sends):
    """What was sent, by receiver: how often each kind of thing."""
    said: defaultdict[PeerId, Counter[str]] = defaultdict(Counter)
    for send in sends:
        for to in send.peers:
            for kind in ("subscriptions", "messages", "ihave", "iwant", "graft", "prune"):
                said[to][kind] += len(getattr(send.rpc, kind))
            said[to]["idontwant"] += len(send.rpc.idontwant)
    return said
