"""Commands that the gossipsub plugin answers; wrong arguments raise where they are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from peerloom.plugin import Command, PeerId

from ._actions import Verdict
from ._arguments import as_bytes, as_peer, is_async, is_finite, is_topic
from ._wishes import Wish

if TYPE_CHECKING:
    from ._events import Message
    from ._listeners import Listener

Validator = Callable[["Message"], Awaitable[Verdict]]
"""An async function that says of each message of a topic what becomes of it."""


@frozen
class Published:
    """What became of a message.

    Attributes:
        message_id: what all peers of the topic know it by.
        sent: for how many peers it is queued.
        skipped: how many peers were too slow to take it.
    """

    message_id: bytes
    sent: int
    skipped: int


@frozen
class Subscribe(Command[bool]):
    """Hear a topic; the answer is whether that is new. Raises `TopicTooLong`.

    Attributes:
        topic: the topic.
        by: which part of the application wants it; None stands for all that do not say.
    """

    topic: str = field(validator=is_topic)
    by: Listener | None = None


@frozen
class Unsubscribe(Command[bool]):
    """Hear a topic no more; the answer is whether it was subscribed to by the same.

    Attributes:
        topic: the topic, which is left when all parts of the application that wanted it have left.
        by: as in `Subscribe`.
    """

    topic: str = field(validator=is_topic)
    by: Listener | None = None


@frozen
class Publish(Command[Published]):
    """Publish a message; answered when it is queued for every peer that it goes to.

    Raises `NoPeersSubscribedToTopic`, `MessageTooLarge`, `TopicTooLong` and, where ids are made of
    the data, `Duplicate`.

    Attributes:
        topic: the topic; it need not be subscribed to.
        data: the message: bytes, or what has them (bytearray, memoryview).
    """

    topic: str = field(validator=is_topic)
    data: bytes = field(converter=as_bytes)


@frozen
class Flushed:
    """Who has what was published.

    Attributes:
        reached: how many peers have all that was queued for them.
        missed: how many have not: they have taken nothing for too long, have reset the
            stream with it, or have gone.
    """

    reached: int
    missed: int


@frozen
class Flush(Command[Flushed]):
    """Wait until the peers have what is queued for them by now, over slow links as well.

    Attributes:
        patience_seconds: whoever takes nothing for so long is not waited for.
        is_last: nothing more is to be published or said, since the node is about to end: streams
            are ended, and wait for their peers to end them. What is sent all the same may overtake.
    """

    timeout_seconds: ClassVar[float] = 3600.0

    patience_seconds: float = field(default=30.0, validator=is_finite)
    is_last: bool = False


@frozen
class MeshPeers(Command[tuple[PeerId, ...]]):
    """The peers of a topic's mesh.

    Attributes:
        topic: the topic.
    """

    topic: str = field(validator=is_topic)


@frozen
class SubscribedPeers(Command[tuple[PeerId, ...]]):
    """The connected peers that are subscribed to a topic.

    Attributes:
        topic: the topic.
    """

    topic: str = field(validator=is_topic)


@frozen
class HoldPeers(Command[Wish]):
    """Keep connections to peers that may still subscribe, until the answer's `end`."""


@frozen
class MeshStats(Command[Mapping[str, int]]):
    """How many peers the mesh of each of this node's topics has."""


@frozen
class PeerScores(Command[Mapping[PeerId, float]]):
    """The score of each connected peer that speaks gossipsub."""


@frozen
class SetPeerScore(Command[None]):
    """Tell what the application thinks of a peer; 0 for nothing.

    Attributes:
        peer: whom; its text is taken, too.
        score: what is added to its score, times `application_weight`.
    """

    peer: PeerId = field(converter=as_peer)
    score: float = field(validator=is_finite)


@frozen
class SetValidator(Command[Wish]):
    """Judge the messages of a topic by an async function, until the answer's `end`.

    A validator that raises, answers with anything else than a `Verdict`, or is slower than
    `validation_seconds`, has ignored the message. Raises `TopicHasValidator` where there is one,
    and TypeError for one that is not async.

    Attributes:
        topic: the topic.
        validator: async function that is given a `Message` and answers with a `Verdict`.
    """

    topic: str = field(validator=is_topic)
    validator: Validator = field(eq=False, validator=is_async)
