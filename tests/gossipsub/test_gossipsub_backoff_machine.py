"""One router and peers that graft and prune as they like, against a model of what they may."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from peerloom_gossipsub._actions import Version
from peerloom_gossipsub._backoff import MAX_BACKOFF_SECONDS
from peerloom_gossipsub._config import Degrees
from peerloom_gossipsub._mesh import EARLY_SECONDS, GRAFT_FLOOD_SECONDS
from peerloom_gossipsub._rpc import Prune, Subscription
from peerloom_gossipsub._score_params import ScoreParams
from tests.gossipsub.alone import Alone, T, everything
from tests.gossipsub.peers import peer

LOW, WANTED, HIGH = 2, 3, 4
BACKOFF, LEAVING, SLACK = 30, 1, 1
FORGIVING = ScoreParams(behaviour_threshold=1e9, behaviour_decay_seconds=1e12)
PEERS = st.integers(1, 7)


class Backoffs(RuleBasedStateMachine):
    """`until` and `offences` are what the router must think of each peer."""

    @initialize()
    def begin(self):
        self.alone = Alone(
            degrees=Degrees(wanted=WANTED, low=LOW, high=HIGH, score=1, out=0),
            prune_backoff_seconds=BACKOFF,
            unsubscribe_backoff_seconds=LEAVING,
            score=FORGIVING,
        )
        self.until: dict[int, float] = {}
        self.offences: dict[int, float] = {}
        self.members: set[int] = set()
        self.joined = False
        self.join()
        for number in range(1, 8):
            self.connect(number)
            self.subscribe(number, subscribed=True)

    # -- what happens

    @rule()
    def join(self):
        self.check(self.alone.subscribe())
        self.joined = True

    @rule()
    def leave(self):
        mesh = self.mesh()
        actions = self.alone.unsubscribe()
        self.joined = False
        for number in mesh:
            self.keep_out(number, LEAVING)
            assert everything(actions, "prune", number) == [Prune(T, 1)]

    @rule(number=PEERS)
    def connect(self, number):
        self.alone.router.connect(peer(number), Version.V1_2, is_outbound=False)
        self.offences.setdefault(number, 0.0)
        self.alone.take()

    @rule(number=PEERS)
    def disconnect(self, number):
        self.alone.router.disconnect(peer(number), self.alone.now)
        self.offences.pop(number, None)  # a good score is not remembered, a backoff is
        self.members.discard(number)
        self.alone.take()

    @rule(number=PEERS, subscribed=st.booleans())
    def subscribe(self, number, subscribed):
        if number in self.offences:
            self.members.add(number) if subscribed else self.members.discard(number)
            self.check(self.alone.receive(number, subscriptions=[Subscription(T, subscribed)]))

    @rule(number=PEERS)
    def graft(self, number):
        if number not in self.offences:
            return
        mesh, now = self.mesh(), self.alone.now
        actions = self.alone.receive(number, graft=[T])
        answer = everything(actions, "prune", number)
        if not self.joined:
            assert not actions
            return
        self.members.add(number)
        until = self.until.get(number, 0.0)
        if number in mesh:
            assert not answer
        elif now < until - EARLY_SECONDS:
            flood = now < until - BACKOFF + GRAFT_FLOOD_SECONDS
            self.offences[number] += 2 if flood else 1
            self.refused(number, answer)
        elif len(mesh) >= HIGH:
            self.refused(number, answer)
        else:
            assert not answer
            assert number in self.mesh()

    @rule(number=PEERS, seconds=st.sampled_from([None, 0, 1, 45, 2**63, 2**64 - 1]))
    def prune(self, number, seconds):
        if number not in self.offences:
            return
        self.check(self.alone.receive(number, prune=[Prune(T, seconds)]))
        if self.joined:
            default = BACKOFF if number in self.members else LEAVING
            self.keep_out(number, min(seconds or default, MAX_BACKOFF_SECONDS))
            assert number not in self.mesh()

    @rule(number=PEERS, times=st.integers(1, 3))
    def graft_in_spite_of_a_prune(self, number, times):
        self.prune(number, 0)
        for _ in range(times):
            self.graft(number)

    @rule(seconds=st.sampled_from([0.5, 5.0, 25.0, 400.0]))
    def wait(self, seconds):
        self.alone.now += seconds

    @rule()
    def beat(self):
        self.check(self.alone.beat())
        if self.joined and len(self.mesh()) < LOW:
            left = self.members - self.mesh()
            assert not [number for number in left if self.may_be_grafted(number)]

    # -- what must hold

    @invariant()
    def the_mesh_holds_members_that_are_not_kept_out(self):
        if not hasattr(self, "alone"):
            return
        assert self.mesh() <= self.members
        assert len(self.mesh()) <= HIGH
        late = self.alone.now + EARLY_SECONDS
        assert not [n for n in self.mesh() if late < self.until.get(n, 0.0)]

    @invariant()
    def every_offence_is_remembered_and_no_other(self):
        if not hasattr(self, "alone"):
            return
        records = self.alone.router._state.scores._records
        assert {n: round(records[peer(n)].offences, 3) for n in self.offences} == self.offences

    # -- the model

    def mesh(self):
        return {number for number in range(1, 8) if peer(number) in self.alone.mesh()}

    def keep_out(self, number, seconds):
        self.until[number] = max(self.until.get(number, 0.0), self.alone.now + seconds)

    def may_be_grafted(self, number):
        return self.until.get(number, -SLACK) + SLACK <= self.alone.now

    def refused(self, number, answer):
        assert answer == [Prune(T, BACKOFF)]
        assert number not in self.mesh()
        self.keep_out(number, BACKOFF)

    def check(self, actions):
        """Nobody is grafted before its time."""
        for number in range(1, 8):
            if everything(actions, "graft", number):
                assert number in self.members
                assert self.may_be_grafted(number)


TestBackoffs = Backoffs.TestCase
TestBackoffs.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
