"""FakePeer: another node as far as a `FakeSwarm` goes, played by the test."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from peerloom._libp2p import KeyPair

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._links import LinkLimits
    from peerloom._peer_id import PeerId
    from peerloom._stream import Stream

    from ._fake_swarm import FakeSwarm


def identity_of(name: str) -> KeyPair:
    """The key pair of a name: known to everybody, and the same each time."""
    return KeyPair.from_seed(sha256(name.encode()).digest())


class FakePeer:
    """Whom the plugin under test can dial, and who can dial it; made by `FakeSwarm.add_peer`.

    Attributes:
        identity: its key pair, the same for the same name.
        peer_id: who it is.
        addresses: where it can be reached; with none it can only come by itself.
        serves: by protocol id, the async function that plays its side of a stream.
        reachable: whether dials to it work.
        known: whether it can be dialled by its peer id alone.
    """

    def __init__(
        self,
        swarm: FakeSwarm,
        identity: KeyPair,
        addresses: Sequence[Multiaddr],
        serves: Mapping[str, Callable[[Stream], Awaitable[None]]],
    ) -> None:
        self.identity = identity
        self.peer_id: PeerId = identity.peer_id
        self.addresses: tuple[Multiaddr, ...] = tuple(addresses)
        self.serves: dict[str, Callable[[Stream], Awaitable[None]]] = dict(serves)
        self.reachable = True
        self.known = True
        self._swarm = swarm

    async def connect(self, limits: LinkLimits | None = None) -> ConnectionInfo:
        """Let it dial this node, through a relay where there are limits; raises `Refused`."""
        return await self._swarm.arrive(self, limits)

    async def open_stream(self, protocol: str) -> Stream:
        """Let it open a stream to this node, connecting first if need be; gives its end.

        Raises `ProtocolNotSupported` where nothing serves the protocol; a stream past a bound is
        reset.
        """
        return await self._swarm.arrive_stream(self, protocol)

    async def disconnect(self, cause: str = "the other side closed it") -> int:
        """Let it close its connections; gives their number."""
        return await self._swarm.depart(self, cause)
