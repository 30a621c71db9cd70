"""What an application hears from the gossipsub plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from peerloom import Event

if TYPE_CHECKING:
    from peerloom import PeerId

    from ._actions import Arrival


@frozen
class Message(Event):
    """A message of a topic that this node is subscribed to; it comes once.

    Attributes:
        topic: the topic.
        source: who published it, or None where it does not say.
        data: what was published.
        message_id: what all peers of the topic know it by.
        sequence: its author's number for it, or None.
        received_from: the peer that brought it first.
    """

    topic: str
    source: PeerId | None
    data: bytes
    message_id: bytes
    sequence: int | None
    received_from: PeerId


@frozen
class Subscribed(Event):
    """This node has subscribed to a topic.

    Attributes:
        topic: the topic.
    """

    topic: str


@frozen
class Unsubscribed(Event):
    """This node is not subscribed to a topic any more.

    Attributes:
        topic: the topic.
    """

    topic: str


@frozen
class PeerSubscribed(Event):
    """A connected peer has subscribed to a topic.

    Attributes:
        peer: who.
        topic: the topic.
    """

    peer: PeerId
    topic: str


@frozen
class PeerUnsubscribed(Event):
    """A peer is not subscribed to a topic any more, or has gone.

    Attributes:
        peer: who.
        topic: the topic.
    """

    peer: PeerId
    topic: str


@frozen
class SlowPeer(Event):
    """A peer has not taken a message of this node in time, and does not get it.

    This comes once until the peer takes something again; each message counts in `Published`.

    Attributes:
        peer: who.
        waiting_bytes: what waits for it.
    """

    peer: PeerId
    waiting_bytes: int


def message_of(arrival: Arrival) -> Message:
    """What the application is told of a message."""
    author = arrival.author
    return Message(
        topic=arrival.message.topic,
        source=author.source if author else None,
        data=arrival.message.data,
        message_id=arrival.message_id,
        sequence=author.sequence if author else None,
        received_from=arrival.bringers[0],
    )
