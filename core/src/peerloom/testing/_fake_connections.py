"""The connections of a fake swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio.lowlevel
from attrs import define, field
from multiaddr import Multiaddr

from peerloom._addresses import is_relayed
from peerloom._endpoint import ConnectionInfo
from peerloom._events import PeerConnected, PeerDisconnected
from peerloom._swarm import Refused

from ._fake_stream import stream_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom._links import LinkLimits, Role
    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime
    from peerloom._swarm import Surroundings

    from ._fake_stream import FakeMuxedStream

_OWN_ADDRESS: Final = Multiaddr("/ip4/192.0.2.1/tcp/4001")  # RFC 5737: for documentation


@define(eq=False)
class _Connection:
    info: ConnectionInfo
    streams: list[FakeMuxedStream] = field(factory=list)


class FakeConnections:
    """Opens and closes them, and tells of it."""

    def __init__(self, around: Surroundings, runtime: Runtime, numbers: Iterator[int]) -> None:
        self._around = around
        self._runtime = runtime
        self._numbers = numbers
        self._connections: dict[int, _Connection] = {}

    def infos(self, peer: PeerId | None = None) -> tuple[ConnectionInfo, ...]:
        """To one peer or to all, oldest first."""
        every = (one.info for one in self._connections.values())
        return tuple(info for info in every if peer is None or info.peer == peer)

    async def establish(
        self, peer: PeerId, address: Multiaddr, role: Role, limits: LinkLimits | None = None
    ) -> ConnectionInfo:
        """Take one into service; raises `Refused`."""
        reason = self._around.gate("connected", peer, address)
        if reason is not None:
            raise Refused(reason)
        info = ConnectionInfo(
            id=next(self._numbers),
            peer=peer,
            role=role,
            local_address=_OWN_ADDRESS,
            remote_address=address,
            relayed=is_relayed(address),
            security="/noise",
            muxer="/yamux/1.0.0",
            limits=limits,
            opened_at=self._runtime.now(),
        )
        self._connections[info.id] = _Connection(info)
        await self._around.sink.put(PeerConnected(peer, info, len(self.infos(peer))))
        return info

    def stream_pair(self, info: ConnectionInfo) -> tuple[FakeMuxedStream, FakeMuxedStream]:
        """Two ends of a stream that ends with the connection."""
        pair = stream_pair()
        self._connections[info.id].streams.append(pair[0])
        return pair

    async def close_all(self, peer: PeerId, cause: str, *, intended: bool) -> int:
        """Close all connections to a peer; gives their number."""
        await anyio.lowlevel.checkpoint()
        every = [info.id for info in self.infos(peer)]
        return sum([await self.close(number, cause, intended=intended) for number in every])

    async def close(self, number: int, cause: str, *, intended: bool) -> bool:
        """Close one; gives whether it was there."""
        gone = self._connections.pop(number, None)
        if gone is None:
            return False
        for stream in gone.streams:
            stream.break_off(cause)
        peer, remaining = gone.info.peer, len(self.infos(gone.info.peer))
        await self._around.sink.put(PeerDisconnected(peer, gone.info, remaining, cause, intended))
        return True
