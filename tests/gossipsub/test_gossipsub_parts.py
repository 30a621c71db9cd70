"""An RPC that is heard in parts leads to what it leads to when it is heard whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st

from peerloom_gossipsub._actions import Send
from peerloom_gossipsub._config import Degrees
from peerloom_gossipsub._rpc import ExchangedPeer, IHave, Prune, Rpc, Subscription
from tests.gossipsub.alone import Alone, T, id_of
from tests.gossipsub.peers import peer
from tests.gossipsub.routers import anonymous

HEARD = (T, "u", "v")
TOPICS = st.sampled_from([*HEARD, "of others"])
SAID = [bytes([number]) for number in range(4)]
IDS = st.sampled_from([*map(id_of, SAID), b"unknown"])
MESSAGES = st.builds(anonymous, TOPICS, st.sampled_from([*SAID, b"new", b"newer"]))
SUGGESTED = st.builds(ExchangedPeer, st.sampled_from([bytes(peer(7)), bytes(peer(8))]))
PRUNES = st.builds(Prune, TOPICS, st.none() | st.integers(0, 90), st.lists(SUGGESTED, max_size=2))
MOST = st.integers(1, 4)
RPCS = st.builds(
    Rpc,
    subscriptions=st.lists(st.builds(Subscription, TOPICS, st.booleans()), max_size=8),
    messages=st.lists(MESSAGES, max_size=5),
    ihave=st.lists(st.builds(IHave, TOPICS, st.lists(IDS, max_size=3)), max_size=3),
    iwant=st.lists(IDS, max_size=8),
    graft=st.lists(TOPICS, max_size=8),
    prune=st.lists(PRUNES, max_size=8),
    idontwant=st.lists(IDS, max_size=8),
    skipped=st.dictionaries(st.sampled_from(["ids", "message malformed"]), st.integers(1, 3)),
)
KINDS = ("subscriptions", "messages", "ihave", "iwant", "graft", "prune", "idontwant")


class Hearing:
    """A node in the middle of its life, which hears an RPC of a peer."""

    def __init__(self, score, *parts):
        degrees = Degrees(wanted=2, low=2, high=3, score=1, out=0)
        self.alone = Alone(degrees=degrees, peer_exchange=True, max_topics_per_peer=2)
        for topic in HEARD:
            self.alone.subscribe(topic)
        self.alone.peers(1, 2, 3)
        self.alone.peers(4, topic="v")
        for number in (1, 2):
            self.alone.receive(number, graft=[T])
        self.alone.receive(1, graft=["u"], prune=[Prune("u", 5)])
        for data in SAID:
            self.alone.publish(data)
        self.alone.router.set_peer_score(peer(1), score)
        router, now = self.alone.router, self.alone.now
        for part in parts:
            router.receive(peer(1), part, now)
        router.answer(peer(1), [each for part in parts for each in part.subscriptions], now)
        self.said = [*self.alone.take(), *self.alone.beat()]

    def outcome(self):
        """What it has said, and what it knows now."""
        router, state = self.alone.router, self.alone.router._state
        said: Any = defaultdict(list)
        for send in (each for each in self.said if isinstance(each, Send)):
            for to in send.peers:
                for kind in KINDS:
                    said[to, kind] += getattr(send.rpc, kind)
        return (
            said,
            [repr(each) for each in self.said if not isinstance(each, Send)],
            {topic: router.mesh_peers(topic) for topic in HEARD},
            list(map(asdict, state.peers.states())),
            router.peer_scores(),
            router.counts(),
            state.backoffs._until,
            router.pending_messages,
        )


@given(RPCS, MOST, st.sampled_from([-1, 0, 20]))
def test_parts_lead_to_what_the_whole_leads_to(rpc, most, score):
    assert Hearing(score, *rpc.parts(most)).outcome() == Hearing(score, rpc).outcome()


@given(RPCS, MOST)
def test_no_part_holds_more_of_a_kind_than_asked_but_of_what_is_told_whole(rpc, most):
    for part in rpc.parts(most):
        assert part.ihave in ((), rpc.ihave)
        assert all(len(getattr(part, kind)) <= most for kind in KINDS if kind != "ihave")
