"""What the router wants done: it does nothing itself."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from peerloom import PeerId

    from ._rpc import MessageId, Rpc, WireMessage
    from ._signing import Author


class Version(IntEnum):
    """Of gossipsub, as a peer speaks it."""

    V1_0 = 0
    V1_1 = 1
    V1_2 = 2


class Priority(IntEnum):
    """Which of the things that wait for a peer goes first, and which is dropped last."""

    CONTROL = 0
    DATA = 1
    GOSSIP = 2


class Verdict(Enum):
    """What a validator says of a message (libp2p/specs, gossipsub v1.1, extended validators)."""

    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"


@define(eq=False)
class Arrival:
    """A message of somebody else, from its arrival until it is judged.

    Attributes:
        message_id: its id.
        message: itself.
        bringers: the peers that have brought it so far, the first one first.
        author: who published it, once that is verified.
    """

    message_id: MessageId
    message: WireMessage
    bringers: list[PeerId]
    author: Author | None = None


@frozen
class Send:
    """Send an RPC to each of these peers."""

    peers: tuple[PeerId, ...]
    priority: Priority
    rpc: Rpc


@frozen
class Verify:
    """Verify a message, then call `Router.verified`, `invalid` or `dropped`."""

    arrival: Arrival


@frozen
class Judge:
    """Ask the validators of the topic, then call `Router.judged`."""

    arrival: Arrival


@frozen
class Deliver:
    """Give a message to the application; this comes once for each message."""

    arrival: Arrival


@frozen
class PeerJoined:
    """A peer has subscribed to a topic."""

    peer: PeerId
    topic: str


@frozen
class PeerLeft:
    """A peer is not subscribed to a topic any more, or has gone."""

    peer: PeerId
    topic: str


@frozen
class Connect:
    """Connect to a peer: an explicit one, or one that another peer has suggested.

    Attributes:
        peer: whom.
        record: its signed peer record, not verified, or None.
    """

    peer: PeerId
    record: bytes | None = field(default=None)


Action = Send | Verify | Judge | Deliver | PeerJoined | PeerLeft | Connect
