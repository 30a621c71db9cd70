"""What `publish` raises, and `subscribe`."""

from __future__ import annotations

from peerloom import PeerloomError

from ._rpc import MAX_TOPIC_BYTES


class PublishError(PeerloomError):
    """A message was not published: nobody has it."""


class NoPeersSubscribedToTopic(PublishError):
    """No connected peer is subscribed to the topic: try again when `PeerSubscribed` says so.

    Attributes:
        topic: the topic.
    """

    def __init__(self, topic: str) -> None:
        super().__init__(f"no connected peer is subscribed to {topic!r}")
        self.topic = topic


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


def check_topic(topic: str) -> None:
    """Raise `TopicTooLong` if it is."""
    size = len(topic.encode())
    if size > MAX_TOPIC_BYTES:
        raise TopicTooLong(size)
