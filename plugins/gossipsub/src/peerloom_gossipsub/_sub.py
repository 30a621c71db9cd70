"""What ``peerloom sub`` does."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from peerloom import Lagged
from peerloom.cli import passing_node, say, say_json, tell

from ._client import Gossipsub
from ._events import Message
from ._terminal import short, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom import NetworkConfig


async def run_sub(
    config: NetworkConfig, topic: str, dial: Sequence[str], *, count: int | None, as_json: bool
) -> None:
    """Print messages, so many of them or for ever."""
    async with passing_node(config, dial) as node, node.client.events(Message) as messages:
        await Gossipsub(node.client).subscribe(topic)
        for address in node.addresses:
            tell(f"listening on {address}")
        printed = 0
        async for message in messages:
            if isinstance(message, Lagged):
                tell(f"{message.count} messages are missing: whoever reads this is too slow")
                continue
            if as_json:
                say_json(described(message))
            else:
                say(f"{short(message.source)}: {shown(message.data)}")
            printed += 1
            if printed == count:
                return


def described(message: Message) -> dict[str, Any]:
    """A message for programs: its data in base64, and as text where it is some."""
    told = {
        "topic": message.topic,
        "source": None if message.source is None else str(message.source),
        "message_id": message.message_id.hex(),
        "data": b64encode(message.data).decode(),
    }
    with suppress(UnicodeDecodeError):
        told["text"] = message.data.decode()
    return told
