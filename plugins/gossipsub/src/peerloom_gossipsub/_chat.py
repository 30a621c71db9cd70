"""Chat: a terminal's end of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from peerloom import Lagged
from peerloom.cli import addresses_to_tell, passing_node, say, tell

from ._client import Gossipsub
from ._errors import PublishError, check_topic
from ._events import Message, PeerSubscribed, PeerUnsubscribed
from ._terminal import input_lines, short, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom import NetworkConfig, Node, Subscription

    Heard = Message | PeerSubscribed | PeerUnsubscribed


async def run_chat(config: NetworkConfig, topic: str, dial: Sequence[str]) -> None:
    """Talk until the input ends; raises `TopicTooLong`."""
    check_topic(topic)
    async with passing_node(config, dial) as node, _news(node) as news:
        chat = Chat(node, topic)
        await chat.join()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat.listen, news)
            _introduce(node, topic)
            await chat.talk()
            tasks.cancel_scope.cancel()


def _news(node: Node) -> Subscription[Heard]:
    return node.client.events(Message, PeerSubscribed, PeerUnsubscribed)


def _introduce(node: Node, topic: str) -> None:
    tell(f"you are {short(node.peer_id)}; others join by:")
    for address in addresses_to_tell(node):
        tell(f"  peerloom chat {topic} --dial {address}")


class Chat:
    """What one person says and hears."""

    def __init__(self, node: Node, topic: str) -> None:
        self._topic = topic
        self._gossip = Gossipsub(node.client)

    async def join(self) -> None:
        """Hear the topic."""
        await self._gossip.subscribe(self._topic)

    async def listen(self, news: Subscription[Heard]) -> None:
        """Show what others say, and who they are."""
        async for event in news:
            self._show(event)

    async def talk(self) -> None:
        """Say each line of the input."""
        async for line in input_lines():
            if not line:
                continue
            try:
                await self._gossip.publish(self._topic, line)
            except PublishError as error:
                tell(f"not sent: {error}")

    def _show(self, event: Heard | Lagged) -> None:
        match event:
            case Message(topic=self._topic, source=source, data=data):
                say(f"{short(source)}: {shown(data)}")
            case PeerSubscribed(topic=self._topic, peer=peer):
                tell(f"{short(peer)} is here")
            case PeerUnsubscribed(topic=self._topic, peer=peer):
                tell(f"{short(peer)} has left")
            case Lagged(count=count):
                tell(f"{count} lines are missing: this terminal is too slow")
