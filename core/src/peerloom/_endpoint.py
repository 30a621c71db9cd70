"""ConnectionInfo: what is known of one connection, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from ._links import LinkLimits, Role
    from ._peer_id import PeerId


@frozen
class ConnectionInfo:
    """One connection, as it was when established.

    Attributes:
        id: a number, unique in the life of this node.
        peer: who is on the other side.
        role: whether this node dialled or listened.
        local_address: this side's address.
        remote_address: the other side's address, without its peer id.
        relayed: whether it runs through a relay.
        security: protocol id of the security channel, or None where the transport has its own.
        muxer: protocol id of the muxer, or None where the transport has its own.
        limits: what it may carry, or None.
        opened_at: when it was established, on the Runtime's clock (seconds).
    """

    id: int
    peer: PeerId
    role: Role
    local_address: Multiaddr
    remote_address: Multiaddr
    relayed: bool
    security: str | None
    muxer: str | None
    limits: LinkLimits | None
    opened_at: float
