"""What ``peerloom pub`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom.cli import passing_node, tell

from ._client import Gossipsub
from ._commands import Flush
from ._errors import MessageTooLarge, PublishError, check_topic
from ._terminal import input_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerloom import NetworkConfig, Node


PATIENCE_SECONDS: Final = 1.5  # a command that is silent for longer seems to hang


async def run_pub(
    config: NetworkConfig, topic: str, message: str | None, wait: float, dial: Sequence[str]
) -> None:
    """Publish; raises `PublishError` if nobody hears, or some of it was not published or sent."""
    check_topic(topic)
    async with passing_node(config, dial) as node:
        await _wait_for_somebody(node, topic, wait)
        refused = 0
        gossip = Gossipsub(node.client)
        async for number, data in _messages(message):
            try:
                published = await gossip.publish(topic, data)
            except MessageTooLarge as error:
                tell(f"line {number} is not published: {error}")
                refused += 1
                continue
            if published.skipped:
                tell(f"line {number} skipped {_peers(published.skipped)}, too slow to take it")
                refused += not published.sent
        flushed = await gossip.flush(min(wait, Flush.timeout_seconds), is_last=True)
        if flushed.missed:
            raise PublishError(
                f"not all of it was sent to {_peers(flushed.missed)} of "
                f"{flushed.missed + flushed.reached}: "
                f"gone, broken off, or nothing was taken for {wait:g} s"
            )
        if refused:
            raise PublishError(f"not published: {refused} of {number} lines")


async def _wait_for_somebody(node: Node, topic: str, wait: float) -> None:
    gossip = Gossipsub(node.client)
    with anyio.move_on_after(wait):
        with anyio.move_on_after(PATIENCE_SECONDS):
            await gossip.wait_for_peers(topic)
            return
        connected = _peers(len(await node.client.peers()))
        tell(f"connected to {connected}; waiting for one that is subscribed to {topic!r}")
        await gossip.wait_for_peers(topic)
        return
    raise PublishError(await _why_nobody(node, topic, wait))


async def _messages(message: str | None) -> AsyncIterator[tuple[int, bytes]]:
    if message is not None:
        yield 1, message.encode()
        return
    number = 0
    async for line in input_lines():
        number += 1
        yield number, line


async def _why_nobody(node: Node, topic: str, wait: float) -> str:
    count = len(await node.client.peers())
    if not count:
        return (
            f"nobody is connected after {wait:g} s: name somebody by --dial, or boot nodes in the "
            "configuration"
        )
    return (
        f"connected to {_peers(count)}, but to none that has subscribed to {topic!r} within "
        f"{wait:g} s: look how the topic is spelt, or connect to somebody who is, by --dial"
    )


def _peers(count: int) -> str:
    return "1 peer" if count == 1 else f"{count} peers"
