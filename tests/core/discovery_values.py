"""Values that the tests of discovery are about."""

from __future__ import annotations

import hashlib

from multiaddr import Multiaddr

from peerloom._endpoint import ConnectionInfo
from peerloom._links import Role
from peerloom._peer_id import PeerId


def peer(number: int) -> PeerId:
    """The peer of that number, always the same."""
    return PeerId(b"\x12\x20" + hashlib.sha256(str(number).encode()).digest())


def direct(number: int, host: str = "192.0.2.1") -> Multiaddr:
    """A direct address, told apart by its port."""
    return Multiaddr(f"/ip4/{host}/tcp/{1000 + number}")


def relayed(number: int) -> Multiaddr:
    """An address through the relay of that number."""
    return Multiaddr(f"/ip4/198.51.100.1/tcp/4001/p2p/{peer(number)}/p2p-circuit")


def connection(
    who: PeerId,
    address: Multiaddr,
    role: Role = Role.DIALER,
    number: int = 1,
    *,
    is_relayed: bool = False,
) -> ConnectionInfo:
    """A connection to a peer at an address."""
    return ConnectionInfo(
        id=number,
        peer=who,
        role=role,
        local_address=direct(0, "127.0.0.1"),
        remote_address=address,
        relayed=is_relayed,
        security="/tls/1.0.0",
        muxer="/yamux/1.0.0",
        limits=None,
        opened_at=0.0,
    )
