"""Peers that say in gossipsub whatever costs most, as fast as they can, from another process."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from tests.hostile.attacks import attack
from tests.hostile.gossip_siege import Talk, attacked, talking, trimmed_rss

MIB = 1 << 20
OFFENCES = 20  # ten are enough for the graylist; some are under way meanwhile

pytestmark = pytest.mark.slow


async def flooded(words: str, identities: int = 1, **settings: int) -> dict[str, int]:
    """Let a flood pass; gives what was counted."""
    async with talking(**settings) as talk:
        async with attacked(talk):
            await attack("gossip", talk.scene.address, words=words, identities=identities)
        await talk.until_nothing_waits()
        return await talk.counts()


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("changes", "subscription changes too many"),
        ("idontwants", "idontwant of too many"),
        ("ihaves", "ihave too often"),
        ("noise", "rpc malformed"),
        ("repetitions", "message repeated"),
    ],
)
async def test_a_flood_is_counted_and_what_others_say_arrives(words: str, cause: str) -> None:
    counts = await flooded(words)
    assert counts[cause] > 0, counts


async def test_frames_of_nothing_hold_nobody_up() -> None:
    counts = await flooded("empty_frames")

    assert counts["rpc malformed"] > 0


async def test_small_frames_hold_nobody_up() -> None:
    counts = await flooded("small_frames")

    assert counts["graft of another topic"] > 0


async def test_messages_without_worth_are_delivered_and_others_in_between() -> None:
    counts = await flooded("spam", max_pending_messages=512, cache_bytes=4 * MIB)

    assert counts["message accept"] > 0
    assert not any("invalid" in cause for cause in counts)


async def test_grafts_within_backoff_end_in_the_graylist() -> None:
    counts = await flooded("grafts_within_backoff")

    assert 0 < counts["graft within backoff"] <= OFFENCES
    assert counts["rpc of a graylisted peer"] > 0


async def test_advisory_13_backoffs_of_any_size_without_end() -> None:
    await flooded("prunes")


async def test_advisory_14_grafts_of_unknown_topics_without_end() -> None:
    counts = await flooded("grafts")

    assert counts["graft of another topic"] > 0


async def test_advisory_15_frames_of_349525_subscriptions_cost_their_sender_its_voice() -> None:
    counts = await flooded("subscribes")

    assert 0 < counts["rpc malformed"] <= OFFENCES
    assert counts["rpc of a graylisted peer"] > 0


async def test_advisory_15_and_the_memory_is_back_when_he_has_gone() -> None:
    async with talking() as talk:
        before = trimmed_rss()
        await attack("gossip", talk.scene.address, words="subscribes", identities=17)
        await talk.until_alone()

        assert trimmed_rss() - before <= 8 * MIB


async def test_advisory_16_mebibytes_of_empty_entries_in_every_repeated_field() -> None:
    counts = await flooded("emptiness")

    assert 0 < counts["rpc malformed"] <= OFFENCES
    assert counts["rpc of a graylisted peer"] > 0


@pytest.mark.parametrize("identities", [1, 20])
async def test_advisory_17_invalid_messages_of_one_and_of_many(identities: int) -> None:
    counts = await flooded("forgeries", identities=identities)

    invalid = counts["message invalid: wrong signature"]
    assert 0 < invalid <= OFFENCES * identities
    assert counts["message of a graylisted peer"] > 100 * invalid


async def test_one_message_asked_for_without_end() -> None:
    async with talking() as talk:
        async with attacked(talk):
            wanted = (await talk.node.publish("news", bytes(1000))).message_id
            await attack("iwants", talk.scene.address, wanted=wanted.hex())
        assert (await talk.counts())["iwant in vain"] > 0


async def hold_frames(talk: Talk, peers: int) -> None:
    """Let each of so many peers begin four frames; three of them must be given up."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(attack, "unfinished_frames", talk.scene.address, peers=peers))
        await talk.until_counted("unfinished frame given up", 3 * peers)
        tasks.cancel_scope.cancel()
    await talk.until_alone()


async def test_a_peer_keeps_one_unfinished_frame_at_most() -> None:
    async with talking() as talk:
        async with attacked(talk):
            await hold_frames(talk, 1)
        assert (await talk.counts())["unfinished frame given up"] == 3


async def test_many_peers_keep_no_more_of_them_than_the_bound() -> None:
    async with talking() as talk:
        before = trimmed_rss()
        async with talk.sampled("unfinished_bytes") as most:
            await hold_frames(talk, 30)

        assert 32 * MIB < max(most) <= 64 * MIB
        assert trimmed_rss() - before <= 8 * MIB
