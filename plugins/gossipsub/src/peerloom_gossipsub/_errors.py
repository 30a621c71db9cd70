"""What `publish` raises."""

from __future__ import annotations

from peerloom import PeerloomError


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
    """A message with this id has been published or heard lately.

    Attributes:
        message_id: the id.
    """

    def __init__(self, message_id: bytes) -> None:
        super().__init__(f"message {message_id.hex()} has been published or heard already")
        self.message_id = message_id
