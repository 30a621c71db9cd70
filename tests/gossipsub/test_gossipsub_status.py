"""What an operator is told: scores, and limits that are about to matter."""

from __future__ import annotations

from peerloom_gossipsub import Gossipsub
from peerloom_gossipsub._engine import MAX_TOLD_SCORES
from tests.gossipsub.simulated import beats, member, report, simulate


def test_bad_scores_are_told_of_the_worst_so_many(anyio_backend_name, monkeypatch):
    monkeypatch.setattr("peerloom_gossipsub._engine.MAX_TOLD_SCORES", 3)

    async def scenario(network):
        node = await member(network).start()
        client = Gossipsub(node.client)
        peers = []
        for score in (5.0, 0.0, -1.0, -2.0, -79.0, -81.0):
            other = await member(network).start()
            await other.dial(node)
            await client.set_peer_score(str(other.peer_id), score)
            peers.append((other.peer_id, score))
        await beats(2)

        assert await client.peer_scores() == dict(peers)
        told = await report(node)
        worst = {str(peer): score for peer, score in peers if score < -1}
        assert told["bad_scores"] == worst
        assert told["graylisted"] == [str(peers[-1][0])]

    assert MAX_TOLD_SCORES > 3
    simulate(anyio_backend_name, scenario)


def test_more_topics_than_peers_remember_are_warned_of_once(anyio_backend_name, caplog):
    async def scenario(network):
        client = Gossipsub((await member(network, max_topics_per_peer=3).start()).client)
        for number in range(3):
            await client.subscribe(f"topic {number}")
        assert "topics: peers" not in caplog.text
        for number in range(3, 6):
            await client.subscribe(f"topic {number}")
        assert caplog.text.count("subscribed to more than 3 topics: peers") == 1

    simulate(anyio_backend_name, scenario)
