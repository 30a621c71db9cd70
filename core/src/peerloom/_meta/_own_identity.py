"""OwnIdentity: what this node tells others of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._addresses import is_loopback, is_unspecified
from peerloom._libp2p import seal_peer_record

from ._identify_codec import MAX_PROTOCOL_BYTES, IdentifyMessage

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom.plugin import PluginContext

MAX_OWN_ADDRESSES: Final = 32  # a record of these stays below what rust-libp2p reads (4 KiB)
_KEPT_RECORDS: Final = 2  # with loopback addresses, and without


class OwnIdentity:
    """Builds identify's message for a connection; signs a record anew only when it changed."""

    def __init__(self, ctx: PluginContext, *, agent: str, protocol_version: str) -> None:
        """Tell this software and this protocol family."""
        self._ctx = ctx
        self._agent = agent
        self._protocol_version = protocol_version
        self._public_key = ctx.identity.public_key.to_protobuf()
        self._records: dict[tuple[Multiaddr, ...], bytes] = {}
        self._sequence = 0

    def message_for(self, connection: ConnectionInfo) -> IdentifyMessage:
        """What the other side of this connection is told."""
        addresses = self._addresses_for(connection)
        return IdentifyMessage(
            agent=self._agent,
            protocol_version=self._protocol_version,
            public_key=self._public_key,
            listen_addresses=addresses,
            protocols=tuple(
                name for name in self._ctx.swarm.protocols() if len(name) <= MAX_PROTOCOL_BYTES
            ),
            observed_address=connection.remote_address,
            signed_record=self._record(addresses) if addresses else None,
        )

    def _addresses_for(self, connection: ConnectionInfo) -> tuple[Multiaddr, ...]:
        local = is_loopback(connection.remote_address)
        swarm = self._ctx.swarm
        own = [*swarm.external_addresses(), *(address for _, address in swarm.listen_addresses())]
        told = [
            address
            for address in dict.fromkeys(own)
            if not is_unspecified(address) and (local or not is_loopback(address))
        ]
        return tuple(told[:MAX_OWN_ADDRESSES])

    def _record(self, addresses: tuple[Multiaddr, ...]) -> bytes:
        record = self._records.get(addresses)
        if record is None:
            record = seal_peer_record(self._ctx.identity, addresses, self._next_sequence())
            while len(self._records) >= _KEPT_RECORDS:
                del self._records[next(iter(self._records))]
            self._records[addresses] = record
        return record

    def _next_sequence(self) -> int:
        # Milliseconds, as js-libp2p: others keep the highest, also over a restart of this node.
        self._sequence = max(self._sequence + 1, int(self._ctx.runtime.wall_time() * 1000))
        return self._sequence
