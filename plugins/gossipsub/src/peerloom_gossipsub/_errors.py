"""What `publish` raises, and `subscribe`, and `validate`."""

from __future__ import annotations

from peerloom import PeerloomError

from ._rpc import MAX_TOPIC_BYTES


class PublishError(PeerloomError):
    """A message was not published: nobody has it."""


class NoPeersSubscribedToTopic(PublishError):
    """No connected peer is subscribed to the topic: try again when `PeerSubscribed` says so.

    Attributes:
        topic: the topic.
        connected: how many connected peers speak gossipsub.
        subscribed: how many of them are subscribed, with scores too bad to get messages.
    """

    def __init__(self, topic: str, connected: int, subscribed: int) -> None:
        super().__init__(_why_nobody_gets(topic, connected, subscribed))
        self.topic = topic
        self.connected = connected
        self.subscribed = subscribed


class MessageTooLarge(PublishError):
    """The message is larger than `max_message_bytes`: split it, or raise that on every node.

    Attributes:
        size: its size with all that belongs to it, in bytes.
        max_bytes: the most that it may be.
    """

    def __init__(self, size: int, max_bytes: int) -> None:
        super().__init__(f"a message of {size} bytes; at most {max_bytes} can be published")
        self.size = size
        self.max_bytes = max_bytes


class Duplicate(PublishError):
    """A message with this id has been published or heard lately, where ids are made of the data.

    Attributes:
        message_id: the id.
    """

    def __init__(self, message_id: bytes) -> None:
        super().__init__(f"message {message_id.hex()} has been published or heard already")
        self.message_id = message_id


class TopicTooLong(PublishError):
    """The topic's name is longer than this plugin reads in messages of others: choose a shorter."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a topic of {size} bytes; at most {MAX_TOPIC_BYTES} can be told to peers")


class TopicHasValidator(PeerloomError):
    """The topic's messages are judged already: leave that block first, or let one judge it all.

    Attributes:
        topic: the topic.
    """

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"messages of {topic!r} have a validator already: end that first, or let one do it all"
        )
        self.topic = topic


def _why_nobody_gets(topic: str, connected: int, subscribed: int) -> str:
    if subscribed:
        return (
            f"no peer gets messages of {topic!r}: {subscribed} subscribed, all with scores below "
            "the publish threshold"
        )
    if connected:
        return (
            f"no connected peer is subscribed to {topic!r}: {connected} connected, none of them "
            "subscribed (yet)"
        )
    return (
        f"no connected peer is subscribed to {topic!r}: nobody is connected that speaks gossipsub"
    )


def check_topic(topic: str) -> None:
    """Raise `TopicTooLong` if it is."""
    size = len(topic.encode())
    if size > MAX_TOPIC_BYTES:
        raise TopicTooLong(size)
