"""Telling of messages, asking for them and answering, within bounds."""

from __future__ import annotations

from peerloom_gossipsub import _gossip
from peerloom_gossipsub._actions import Priority, Send
from peerloom_gossipsub._rpc import IHave
from peerloom_gossipsub._score_params import ScoreParams
from tests.gossipsub.alone import (
    T,
    everything,
    id_of,
    ids,
    in_mesh,
    of_kind,
    receivers,
    rpcs,
)
from tests.gossipsub.peers import peer


def test_announced_messages_are_asked_for_unless_seen_or_of_other_topics():
    router = in_mesh(1)
    router.peers(2)
    router.accept(router.bring(1, b"seen"))
    ihave = [IHave(T, [id_of(b"seen"), b"new", b"new"]), IHave("other", [b"else"])]
    [rpc] = rpcs(router.receive(2, ihave=ihave))

    assert rpc.iwant == [b"new"]
    assert router.router.counts()["message asked for"] == 1


def test_an_ihave_flood_is_asked_for_up_to_the_bounds_of_a_heartbeat():
    router = in_mesh(1)

    def announce(number):
        many = [number.to_bytes(2, "big") + n.to_bytes(4, "big") for n in range(700)]
        return len(everything(router.receive(1, ihave=[IHave(T, many)]), "iwant"))

    assert [announce(number) for number in range(12)] == [700] * 7 + [100] + [0] * 4
    assert router.router.counts()["ihave too often"] == 2
    router.beat()
    assert announce(99) == 700


def test_broken_promises_cost_and_kept_ones_do_not():
    for keeps in (True, False):
        router = in_mesh(1, score=ScoreParams(behaviour_threshold=0))
        router.beat()
        router.receive(1, ihave=[IHave(T, [id_of(b"data")])])
        if keeps:
            router.accept(router.bring(1))
        router.beat(2)
        assert router.score(1) == 0
        router.beat(2)
        assert (router.score(1) == 0) == keeps


def test_nobody_pays_for_promises_when_it_was_us_who_paused():
    router = in_mesh(1, score=ScoreParams(behaviour_threshold=0))
    router.beat()
    router.receive(1, ihave=[IHave(T, [b"never"])])
    router.beat(seconds=3600)
    router.beat(5)

    assert router.score(1) == 0


def test_who_announces_and_never_sends_is_soon_ignored():
    router = in_mesh(1)
    router.beat()
    for number in range(300):
        router.receive(1, ihave=[IHave(T, [number.to_bytes(4, "big")])])
        router.now += 0.1
        if number % 10 == 9:
            router.beat(seconds=0)

    assert router.score(1) < -80
    assert router.mesh() == set()


def test_asked_for_messages_are_sent_three_times_to_each_and_no_more():
    router = in_mesh(1)
    router.peers(2, 3)
    router.accept(router.bring(1))
    wanted = [id_of(b"data"), b"unknown"] * 100
    answers = [rpcs(router.receive(2, iwant=wanted)) for _ in range(5)]

    assert [[len(rpc.messages) for rpc in each] for each in answers] == [[1]] * 3 + [[]] * 2
    assert len(rpcs(router.receive(3, iwant=wanted))) == 1
    assert router.router.counts()["message given on request"] == 4


def test_an_iwant_flood_gets_so_many_bytes_in_a_heartbeat(monkeypatch):
    monkeypatch.setattr(_gossip, "MAX_ANSWERED_BYTES", 3000)
    router = in_mesh(1)
    router.peers(2)
    wanted = []
    for number in range(20):
        data = bytes([number]) * 1000
        wanted.append(id_of(data))
        router.accept(router.bring(1, data))
    sent = everything(router.receive(2, iwant=wanted), "messages")

    assert len(sent) == 3
    assert router.router.counts()["iwant of too much"] == 1
    router.beat()
    assert len(everything(router.receive(2, iwant=wanted), "messages")) == 3


def test_peers_outside_the_mesh_are_told_of_messages_for_three_heartbeats():
    router = in_mesh(1, 2, 3, 4, 5)
    router.peers(*range(10, 40))
    router.router.set_peer_score(peer(39), -11)
    router.accept(router.bring(1))
    rounds = [router.beat() for _ in range(4)]

    for actions in rounds[:3]:
        told = receivers(actions, "ihave")
        assert len(told) == int(0.25 * 29)
        assert not told & (router.mesh() | ids(39))
        assert all(rpc.ihave == [IHave(T, [id_of(b"data")])] for rpc in rpcs(actions))
        assert {send.priority for send in of_kind(actions, Send)} == {Priority.GOSSIP}
    assert receivers(rounds[3], "ihave") == set()


def test_what_is_told_of_stays_within_what_others_read():
    router = in_mesh(1)
    router.peers(*range(10, 20))
    for number in range(6000):
        router.accept(router.bring(1, number.to_bytes(4, "big")))
    actions = router.beat()

    listed = [frozenset(rpc.ihave[0].ids) for rpc in rpcs(actions) if rpc.ihave]
    assert all(sum(map(len, each)) <= _gossip.MAX_IHAVE_BYTES for each in listed)
    assert len(set(listed)) > 1
