"""TransportTable: the transports in service, by owner."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from peerloom._isolation import PlainSeam

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from multiaddr import Multiaddr

    from peerloom._links import Transport


class TransportTable:
    """Finds the transport that handles an address; of several, the one installed first."""

    def __init__(self, failed: Callable[[str, str, BaseException], None]) -> None:
        """Take what hears of an owner's transport that raised, and where."""
        self._failed = failed
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
        for owner, transports in list(self._transports.items()):  # one that raises is withdrawn
            for transport in transports:
                if self._handles(owner, transport, address):
                    return owner, transport
        return None

    def _handles(self, owner: str, transport: Transport, address: Multiaddr) -> bool:
        with PlainSeam(partial(self._failed, owner, "handles of its transport")):
            return transport.handles(address)
        return False
