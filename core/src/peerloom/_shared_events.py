"""Events by which plugins meet: emitted by one, heard by others, none importing another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ._events import Event

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from ._peer_id import PeerId


@frozen
class IdentifyReceived(Event):
    """A peer has said who it is and what it speaks.

    Attributes:
        peer: who said it.
        connection_id: on which connection.
        agent: its software, as it says.
        protocol_version: its protocol family, as it says.
        listen_addresses: where it says it listens; of its signed record where it sent one.
        protocols: the protocols that it accepts.
        observed_address: the address at which it sees this node, or None.
        signed_record: its signed peer record (an envelope in wire form), verified, or None.
        pushed: whether the peer pushed it unasked.
    """

    peer: PeerId
    connection_id: int
    agent: str
    protocol_version: str
    listen_addresses: tuple[Multiaddr, ...]
    protocols: tuple[str, ...]
    observed_address: Multiaddr | None
    signed_record: bytes | None
    pushed: bool


@frozen
class IdentifyFailed(Event):
    """A peer could not be identified on a connection.

    Attributes:
        peer: who it is.
        connection_id: on which connection.
        cause: what went wrong.
    """

    peer: PeerId
    connection_id: int
    cause: BaseException


@frozen
class PingSucceeded(Event):
    """A peer answered a ping.

    Attributes:
        peer: who answered.
        connection_id: on which connection.
        round_trip_seconds: how long it took.
    """

    peer: PeerId
    connection_id: int
    round_trip_seconds: float


@frozen
class PingFailed(Event):
    """A peer did not answer a ping.

    Attributes:
        peer: who was asked.
        connection_id: on which connection.
        failures_in_a_row: how many pings have failed since the last answer.
        cause: what went wrong.
    """

    peer: PeerId
    connection_id: int
    failures_in_a_row: int
    cause: BaseException


@frozen
class PeerDiscovered(Event):
    """A discovery mechanism has found a peer.

    Attributes:
        peer: who.
        addresses: where it may be reached, without the peer id.
        source: the mechanism, such as ``mdns`` or ``rendezvous``.
    """

    peer: PeerId
    addresses: tuple[Multiaddr, ...]
    source: str


@frozen
class PeerRoles(Event):
    """What a peer can do for others has become known or has changed.

    Attributes:
        peer: who.
        roles: capabilities, such as ``relay`` and ``rendezvous``.
    """

    peer: PeerId
    roles: frozenset[str]


@frozen
class ReachabilityChanged(Event):
    """Whether others can reach this node directly has changed.

    Attributes:
        public: whether a direct external address is confirmed.
    """

    public: bool


@frozen
class TopicJoined(Event):
    """This node has subscribed to a topic.

    Attributes:
        topic: the topic's name.
    """

    topic: str


@frozen
class TopicLeft(Event):
    """This node has unsubscribed from a topic.

    Attributes:
        topic: the topic's name.
    """

    topic: str


@frozen
class ReservationAccepted(Event):
    """A relay has accepted this node's reservation.

    Attributes:
        relay: the relay.
        expires_at: when the reservation ends (seconds since 1970).
    """

    relay: PeerId
    expires_at: float


@frozen
class ReservationLost(Event):
    """A reservation at a relay has ended.

    Attributes:
        relay: the relay.
    """

    relay: PeerId


@frozen
class CircuitOpened(Event):
    """A relayed connection stands.

    Attributes:
        peer: who is at the other end.
        relay: the relay between.
    """

    peer: PeerId
    relay: PeerId
