"""Identified: what py-libp2p learns by identify and by push; it tells nobody by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libp2p.host import basic_host
from libp2p.identity.identify_push import identify_push
from multiaddr import Multiaddr

if TYPE_CHECKING:
    from .channel import Channel, Fields


class Identified:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[str, Fields] = {}

    def listen(self) -> None:
        """Wrap the one function through which identify and push pass."""
        update = basic_host.update_peerstore_from_identify

        async def told(peerstore: Any, peer_id: Any, message: Any) -> None:
            await update(peerstore, peer_id, message)
            self._learn(peer_id.to_string(), message)

        for module in (basic_host, identify_push):
            module.update_peerstore_from_identify = told  # type: ignore[attr-defined]

    def facts(self, peer: str) -> Fields:
        if peer not in self._known:
            raise LookupError(f"nothing is known of {peer}")
        return self._known[peer]

    def _learn(self, peer: str, message: Any) -> None:
        facts = {
            "agent": message.agent_version,
            "protocol_version": message.protocol_version,
            "protocols": list(message.protocols),
            "addresses": [str(Multiaddr(address)) for address in message.listen_addrs],
        }
        self._known[peer] = facts
        self._channel.emit("identified", peer=peer, **facts)
