"""What discovery gives the swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom._behaviour import Behaviour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId


class DiscoveryBehaviour(Behaviour):
    """Addresses from the book, and connections that are held without use."""

    def __init__(
        self,
        addresses_of: Callable[[PeerId], Sequence[Multiaddr]],
        holds: Callable[[PeerId], bool],
    ) -> None:
        self._addresses_of = addresses_of
        self._holds = holds

    def addresses_of(self, peer: PeerId) -> Sequence[Multiaddr]:
        """What is known of a peer, best first; else where it was in an earlier run."""
        return self._addresses_of(peer)

    def keep_alive(self, connection: ConnectionInfo) -> bool:
        """Boot nodes, and the peers found last."""
        return self._holds(connection.peer)
