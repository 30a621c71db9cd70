"""Many messages at once reach everybody, once."""

from __future__ import annotations

from tests.gossipsub.bursts import burst


async def test_five_hundred_messages_at_once_reach_everybody_once():
    await burst(5, 500)
