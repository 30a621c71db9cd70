"""Routers against each other and two liars, in any order: no bound breaks, nothing comes twice."""

from __future__ import annotations

import sys

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from peerloom_gossipsub import _gossip, _promises
from peerloom_gossipsub._actions import Verdict, Version
from peerloom_gossipsub._config import Degrees
from peerloom_gossipsub._decode import decode_message, decode_rpc
from peerloom_gossipsub._encode import encode_message, encode_rpc
from peerloom_gossipsub._errors import PublishError
from peerloom_gossipsub._message_cache import OVERHEAD_BYTES
from peerloom_gossipsub._message_ids import MESSAGE_IDS
from peerloom_gossipsub._rpc import ExchangedPeer, IHave, Prune, Rpc, Subscription
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import LIMITS, Network, anonymous

COUNT = 4
CACHE_BYTES = 2 * OVERHEAD_BYTES + 200
SEEN_SECONDS = 120.0
EXPLICIT = peer(COUNT)
LIARS = [peer(100), peer(101)]
TOPICS = st.sampled_from(["t", "t", "t", "u"])
ANY_TOPIC = st.sampled_from(["t", "t", "t", "u", "v", "w", "x", "y", "z"])
NODES = st.integers(0, COUNT - 1)
DATA = st.integers(0, 30).map(lambda number: bytes([number]))
IDS = DATA.map(lambda data: MESSAGE_IDS["data-hash"](anonymous("t", data)))


def of_somebody(topic, data):
    """A message that names its author, which is invalid here."""
    return decode_message(encode_message(topic, data, b"somebody"))


LIES = st.builds(
    Rpc,
    subscriptions=st.lists(st.builds(Subscription, ANY_TOPIC, st.booleans()), max_size=8),
    messages=st.lists(
        st.builds(anonymous, ANY_TOPIC, DATA) | st.builds(of_somebody, ANY_TOPIC, DATA), max_size=3
    ),
    ihave=st.lists(st.builds(IHave, TOPICS, st.lists(IDS, min_size=1, max_size=4)), max_size=3),
    iwant=st.lists(IDS, max_size=4),
    graft=st.lists(ANY_TOPIC, max_size=3),
    prune=st.lists(
        st.builds(
            Prune,
            ANY_TOPIC,
            st.none() | st.sampled_from([0, 1, 5, 2**63 - 1001, 2**64 - 1]),
            st.lists(st.builds(ExchangedPeer, st.binary(min_size=1, max_size=34)), max_size=2),
        ),
        max_size=2,
    ),
    idontwant=st.lists(IDS, max_size=4),
)


class Routers(RuleBasedStateMachine):
    @initialize(
        flood=st.booleans(),
        exchange=st.booleans(),
        degrees=st.sampled_from([(1, 1, 1), (1, 1, 2), (2, 1, 2)]),
    )
    def start(self, flood, exchange, degrees):
        wanted, low, high = degrees
        self.high = high
        self.network = Network(
            COUNT,
            degrees=Degrees(wanted=wanted, low=low, high=high, score=1, out=0, lazy=2),
            flood_publish=flood,
            peer_exchange=exchange,
            max_topics_per_peer=4,
            cache_bytes=CACHE_BYTES,
            prune_backoff_seconds=5.0,
            explicit_peers=(EXPLICIT,),
            idontwant_bytes=0,
            seen_seconds=SEEN_SECONDS,
        )
        self.network.heard = self.hear
        self.network.spoken = self.speak
        self.no_graft_before = {}
        self.unwanted = {}
        self.exchange = exchange
        self.wanted = wanted
        self.published: list[dict[bytes, float]] = [{} for _ in range(COUNT)]

        for dialler in range(COUNT):
            for listener in range(dialler):
                self.network.connect(self.node(dialler), self.node(listener))
        for node in self.network.nodes:
            node.subscribe("t")
            for liar in LIARS:
                self.a_liar_connects(node.number - 1, liar, outbound=node.number % 2 == 0)
        self.network.settle()

    def node(self, index):
        return self.network.nodes[index]

    def hear(self, sender, receiver, frame):
        rpc = decode_rpc(frame, LIMITS)
        heard = [each for each in rpc.prune if each.topic in receiver.router.mesh_sizes()]
        if not self.is_ignored(receiver, sender.peer):
            self.note_prunes(receiver, sender.peer, heard)
            self.note_unwanted(receiver, sender.peer, rpc)

    def is_ignored(self, node, other):
        graylist = node.config.score.thresholds.graylist
        return node.router.peer_score(other) < graylist and other != EXPLICIT

    def note_unwanted(self, node, other, rpc):
        until = node.router._state.heartbeat + _gossip.UNWANTED_HEARTBEATS
        unwanted = self.unwanted.setdefault((node.peer, other), {})
        unwanted.update(dict.fromkeys(rpc.idontwant, until))

    def note_prunes(self, node, other, prunes):
        """Who hears or says a PRUNE stays away as long as it says, or else for its own time."""
        for prune in prunes:
            seconds = min(prune.backoff_seconds or 1, 3600)
            key, until = (node.peer, other, prune.topic), self.network.now + seconds
            self.no_graft_before[key] = max(self.no_graft_before.get(key, 0), until)

    def speak(self, node, to, rpc):
        for topic in rpc.graft:
            assert to != EXPLICIT
            assert self.network.now >= self.no_graft_before.get((node.peer, to, topic), 0)
        for message in rpc.messages:
            message_id = MESSAGE_IDS["data-hash"](message)
            until = self.unwanted.get((node.peer, to), {}).get(message_id, 0)
            assert until <= node.router._state.heartbeat
        self.note_prunes(node, to, rpc.prune)

    @rule(dialler=NODES, listener=NODES, version=st.sampled_from(list(Version)))
    def connect(self, dialler, listener, version):
        one, other = self.node(dialler), self.node(listener)
        if one is not other and (one.peer, other.peer) not in self.network.lines:
            self.network.connect(one, other, version)

    @rule(dialler=NODES, listener=NODES)
    def connect_again(self, dialler, listener):
        one, other = self.node(dialler), self.node(listener)
        if (one.peer, other.peer) in self.network.lines:
            one.router.connect(other.peer, Version.V1_2, is_outbound=True)
            one.act()

    @rule(one=NODES, other=NODES)
    def disconnect(self, one, other):
        near, far = self.node(one), self.node(other)
        if (near.peer, far.peer) in self.network.lines:
            self.network.disconnect(near, far)
            self.unwanted.pop((near.peer, far.peer), None)
            self.unwanted.pop((far.peer, near.peer), None)

    @rule(index=NODES, topic=TOPICS)
    def subscribe(self, index, topic):
        self.node(index).subscribe(topic)

    @rule(index=NODES, topic=TOPICS)
    def unsubscribe(self, index, topic):
        self.node(index).unsubscribe(topic)

    @rule(index=NODES, topic=TOPICS, data=DATA)
    def publish(self, index, topic, data):
        try:
            publication = self.node(index).publish(topic, data)
        except PublishError:
            return
        self.published[index][publication.message_id] = self.network.now

    @rule(index=NODES, data=st.lists(DATA, min_size=1, max_size=5))
    def publish_and_settle(self, index, data):
        for each in data:
            self.publish(index, "t", each)
        self.network.settle()

    @rule(choices=st.lists(st.integers(0, 1000), min_size=1, max_size=10))
    def deliver(self, choices):
        for choice in choices:
            self.deliver_one(choice)

    def deliver_one(self, choice):
        waiting = [key for key, line in self.network.lines.items() if line and key[1] not in LIARS]
        if waiting:
            self.network.deliver(waiting[choice % len(waiting)])

    @rule()
    def settle(self):
        self.network.settle()

    @rule()
    def pass_a_heartbeat(self):
        self.network.now += 1
        for index in range(COUNT):
            self.heartbeat(index)

    @rule(index=NODES, which=st.integers(0, 100))
    def verify(self, index, which):
        if waiting := self.node(index).to_verify:
            self.node(index).verify(which % len(waiting))

    @rule(index=NODES, verdict=st.sampled_from(list(Verdict)), which=st.integers(0, 100))
    def judge(self, index, verdict, which):
        """In any order, and however late."""
        if waiting := self.node(index).to_judge:
            self.node(index).judge(verdict, which % len(waiting))

    @rule(index=NODES, topic=TOPICS)
    def leave_and_come_back(self, index, topic):
        self.node(index).unsubscribe(topic)
        self.node(index).subscribe(topic)

    @rule(one=NODES, other=NODES)
    def reconnect(self, one, other):
        self.disconnect(one, other)
        self.connect(one, other, Version.V1_2)

    @rule(one=NODES, other=NODES)
    def break_a_stream(self, one, other):
        near, far = self.node(one), self.node(other)
        if (near.peer, far.peer) in self.network.lines:
            near.router.remind(far.peer)
            near.act()

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 130.0]))
    def wait(self, seconds):
        self.network.now += seconds

    @rule(index=NODES)
    def heartbeat(self, index):
        node = self.node(index)
        node.heartbeat()
        for topic, size in node.router.mesh_sizes().items():
            assert size <= self.high
            assert all(node.router.peer_score(each) >= 0 for each in node.router.mesh_peers(topic))

    @rule(index=NODES, liar=st.sampled_from(LIARS), outbound=st.booleans())
    def a_liar_connects(self, index, liar, outbound):
        node = self.node(index)
        self.network.lines[node.peer, liar] = []
        node.router.connect(liar, Version.V1_2, is_outbound=outbound, ips=["192.0.2.1"])
        node.act()

    @rule(index=NODES, liar=st.sampled_from(LIARS))
    def a_liar_goes(self, index, liar):
        node = self.node(index)
        node.router.disconnect(liar, self.network.now)
        node.act()
        self.network.lines.pop((node.peer, liar), None)
        self.unwanted.pop((node.peer, liar), None)

    @rule(index=NODES, liar=st.sampled_from(LIARS), lie=LIES)
    def a_liar_lies(self, index, liar, lie):
        node = self.node(index)
        ignored = self.is_ignored(node, liar)
        before = len(node.to_verify), len(node.sent)
        if (node.peer, liar) in self.network.lines and not ignored:
            self.note_unwanted(node, liar, lie)
            said = {each.topic: each for each in lie.prune}  # the last word on a topic counts
            heard = [each for each in said.values() if each.topic in node.router.mesh_sizes()]
            self.note_prunes(node, liar, heard)
        for frame in encode_rpc(lie):
            node.receive(liar, frame)
        assert not ignored or before == (len(node.to_verify), len(node.sent))

    @rule(
        index=NODES,
        score=st.sampled_from([-100, -5, 0, 0, 50]),
        whom=st.sampled_from([*map(peer, range(1, COUNT + 1)), *LIARS]),
    )
    def the_application_scores(self, index, score, whom):
        self.node(index).router.set_peer_score(whom, score)

    @precondition(lambda self: hasattr(self, "network"))
    @invariant()
    def nothing_is_delivered_twice_or_to_its_publisher_while_ids_are_kept(self):
        for node, published in zip(self.network.nodes, self.published, strict=True):
            last = dict(published)
            for message_id, time in zip(node.delivered, node.delivered_at, strict=True):
                if published.get(message_id, 0) <= time:
                    assert time >= last.get(message_id, 0) + SEEN_SECONDS
                last[message_id] = time

    @precondition(lambda self: hasattr(self, "network"))
    @invariant()
    def meshes_hold_subscribed_peers_that_are_not_explicit(self):
        for node in self.network.nodes:
            for topic in node.router.mesh_sizes():
                mesh = set(node.router.mesh_peers(topic))
                assert mesh <= set(node.router.subscribed_peers(topic)) - {EXPLICIT}
                inbound = [e for e in mesh if not node.router._state.peers.get(e).is_outbound]
                assert len(inbound) <= self.high

    @precondition(lambda self: hasattr(self, "network"))
    @invariant()
    def fanouts_are_of_topics_not_heard_and_hold_so_many_subscribed_peers(self):
        for node in self.network.nodes:
            fanouts = node.router._publishing._fanout
            assert not set(fanouts) & set(node.router.mesh_sizes())
            for topic, fanout in fanouts.items():
                assert len(fanout) <= self.wanted
                assert set(fanout) <= set(node.router.subscribed_peers(topic)) - {EXPLICIT}

    @precondition(lambda self: hasattr(self, "network"))
    @invariant()
    def peers_are_suggested_where_that_is_on(self):
        for node in self.network.nodes:
            suggested = [each for each in node.wanted_connections if each.peer != EXPLICIT]
            assert self.exchange or not suggested
            assert all(each.peer != node.peer for each in suggested)

    @precondition(lambda self: hasattr(self, "network"))
    @invariant()
    def every_store_is_bounded(self):
        for node in self.network.nodes:
            state, arrivals = node.router._state, node.router._arrivals
            assert state.cache.bytes <= CACHE_BYTES
            assert all(
                n <= _promises.MAX_PER_PEER for n in map(len, state.promises._by_peer.values())
            )
            assert set(state.promises._by_peer) <= set(state.peers)
            for known in state.peers.states():
                assert len(known.topics) <= 4 + 2
                assert len(known.unwanted) <= _gossip.MAX_UNWANTED_IDS
            waiting = list(node.to_verify) + list(node.to_judge)
            assert len(arrivals) == len(waiting)
            assert arrivals.pending_bytes == sum(len(each.message.raw) for each in waiting)
            members = {who for who, topic in node.told if node.told[who, topic]}
            assert members <= set(state.peers)

    def teardown(self):
        """When all have gone and time has passed, nothing is left."""
        if not hasattr(self, "network") or sys.exc_info()[0]:
            return
        for near, far in [key for key in self.network.lines if key[1] not in LIARS]:
            if near < far:
                self.network.disconnect(self.network.by_peer[near], self.network.by_peer[far])
        for node in self.network.nodes:
            for liar in LIARS:
                node.router.disconnect(liar, self.network.now)
                node.act()
        self.network.settle()
        for _ in range(8):
            self.network.now += 2000
            for node in self.network.nodes:
                node.heartbeat()
        for node in self.network.nodes:
            state = node.router._state
            stores = (
                state.peers,
                state.scores,
                state.deliveries,
                state.backoffs,
                state.promises,
                state.seen,
                state.cache,
                state.peers._by_topic,
                node.router._arrivals,
                node.router._publishing.topics(),
                state.scores._at_ip,
            )
            assert [len(store) for store in stores] == [0] * len(stores)
            assert not any(node.told.values())


TestRouters = Routers.TestCase
# To shrink takes minutes: add Phase.shrink when it has failed.
TestRouters.settings = settings(
    max_examples=100, phases=[Phase.generate], stateful_step_count=60, deadline=None
)
