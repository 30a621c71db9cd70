"""TransportTable: the transports in service, by owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multiaddr import Multiaddr

    from peerloom._links import Transport


class TransportTable:
    """Finds the transport that handles an address; of several, the one installed first."""

    def __init__(self) -> None:
        self._transports: dict[str, tuple[Transport, ...]] = {}

    def install(self, owner: str, transports: Sequence[Transport]) -> None:
        """Replace an owner's transports."""
        self._transports[owner] = tuple(transports)

    def withdraw(self, owner: str) -> None:
        """Take an owner's transports out of service."""
        self._transports.pop(owner, None)

    def find(self, address: Multiaddr) -> Transport | None:
        """The transport that handles an address."""
        found = self.find_with_owner(address)
        return found[1] if found else None

    def find_with_owner(self, address: Multiaddr) -> tuple[str, Transport] | None:
        """The transport that handles an address, behind its owner."""
        for owner, transports in self._transports.items():
            for transport in transports:
                if transport.handles(address):
                    return owner, transport
        return None
