"""Peer exchange: who finds no room is told of others, and of where they are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from peerloom import KeyPair, PeerConnected
from peerloom._libp2p import seal_peer_record
from peerloom.testing import Recorder
from peerloom_gossipsub import Gossipsub
from peerloom_gossipsub._actions import Connect
from peerloom_gossipsub._config import Degrees
from peerloom_gossipsub._dials import MAX_DIALS, Dials
from peerloom_gossipsub._router import MAX_RECORD_BYTES
from peerloom_gossipsub._rpc import ExchangedPeer
from tests.gossipsub.alone import Alone, T, everything
from tests.gossipsub.peers import peer
from tests.gossipsub.simulated import counts, member, simulate

ONE = {"wanted": 1, "low": 1, "high": 1, "score": 1, "out": 0}


def test_who_finds_no_room_dials_those_it_is_told_of(anyio_backend_name):
    async def scenario(network):
        hub = await member(network, degrees=ONE, peer_exchange=True).start()
        first = await member(network).start()
        late = await member(network, peer_exchange=True).start()
        for node in (hub, first, late):
            await Gossipsub(node.client).subscribe("news")
        await Gossipsub(late.client).set_peer_score(hub.peer_id, 20)
        await first.dial(hub)
        await Gossipsub(hub.client).wait_for_peers("news")
        with Recorder(late.client, PeerConnected) as met:
            await late.dial(hub)
            await met.next(PeerConnected, lambda event: event.peer == first.peer_id)
        assert "suggested record is not the peer's" not in await counts(late)

    simulate(anyio_backend_name, scenario)


@pytest.mark.parametrize(
    ("record", "told"), [(b"signed", b"signed"), (bytes(MAX_RECORD_BYTES + 1), None)]
)
def test_a_record_goes_along_unless_it_is_long(record, told):
    router = Alone(degrees=Degrees(**ONE), peer_exchange=True)
    router.subscribe()
    router.peers(1, 2)
    router.router.certified(peer(1), record)
    router.router.certified(peer(99), b"of a stranger")
    [prune] = everything(router.receive(2, graft=[T]), "prune", 2)
    assert prune.peers == [ExchangedPeer(bytes(peer(1)), told)]


class FakeContext:
    """Notes what is spawned, and dials nobody."""

    def __init__(self, config):
        self.config = config
        self.spawned = []

    def spawn(self, function, *args):
        self.spawned.append(args)


@pytest.mark.parametrize("record", [b"garbage", None], ids=["garbage", "of-another"])
def test_a_record_that_is_not_the_peers_gives_no_address(record):
    losses: Counter[str] = Counter()
    ctx: Any = FakeContext(None)
    dials = Dials(ctx, losses)
    other = record or seal_peer_record(KeyPair.generate(), [], 1)
    assert dials._addresses(Connect(peer(1), other)) == ()
    assert losses == {"suggested record is not the peer's": 1}


def test_suggestions_are_dialled_a_few_at_a_time_and_explicit_peers_always():
    router = Alone(explicit_peers=(peer(5),))
    losses: Counter[str] = Counter()
    ctx: Any = FakeContext(router.router._state.config)
    dials = Dials(ctx, losses)
    for number in range(10, 10 + MAX_DIALS + 3):
        dials.begin(Connect(peer(number)))
    dials.begin(Connect(peer(5)))
    assert len(ctx.spawned) == MAX_DIALS + 1
    assert losses == {"suggested peer not dialled": 3}
