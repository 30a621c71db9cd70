"""What ``peerloom pub`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from peerloom.cli import passing_node, tell

from ._client import Gossipsub
from ._errors import PublishError, check_topic
from ._terminal import input_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerloom import NetworkConfig, Node


async def run_pub(
    config: NetworkConfig, topic: str, message: str | None, wait: float, dial: Sequence[str]
) -> None:
    """Publish; raises `PublishError` if nobody hears."""
    check_topic(topic)
    async with passing_node(config, dial) as node:
        gossip = Gossipsub(node.client)
        with anyio.move_on_after(wait):
            await gossip.wait_for_peers(topic)
        if not await gossip.subscribed_peers(topic):
            raise PublishError(await _why_nobody(node, topic, wait))
        async for data in _messages(message):
            published = await gossip.publish(topic, data)
            if published.skipped:
                tell(f"{published.skipped} peers were too slow to take a message")


async def _messages(message: str | None) -> AsyncIterator[bytes]:
    if message is not None:
        yield message.encode()
        return
    async for line in input_lines():
        yield line


async def _why_nobody(node: Node, topic: str, wait: float) -> str:
    count = len(await node.client.connections())
    if not count:
        return (
            f"nobody is connected after {wait:g} s: name somebody by --dial, or boot nodes in the "
            "configuration"
        )
    return (
        f"none of {count} connected peers has subscribed to {topic!r} within {wait:g} s: "
        "look how the topic is spelt, or connect to somebody who is, by --dial"
    )
