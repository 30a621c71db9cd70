"""ExternalAddresses: where others reach this node, as far as that is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom._addresses import split_peer
from peerloom._events import ExternalAddressConfirmed, ExternalAddressExpired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from multiaddr import Multiaddr

    from peerloom._events import Event


class ExternalAddresses:
    """In the order in which they were confirmed; what changes is told."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._addresses: dict[Multiaddr, None] = {}

    def __iter__(self) -> Iterator[Multiaddr]:
        return iter(self._addresses)

    def add(self, address: Multiaddr) -> None:
        """Confirm one."""
        bare = split_peer(address)[0]
        if bare not in self._addresses:
            self._addresses[bare] = None
            self._emit(ExternalAddressConfirmed(bare))

    def remove(self, address: Multiaddr) -> bool:
        """Withdraw one; gives whether it was there."""
        bare = split_peer(address)[0]
        if bare not in self._addresses:
            return False
        del self._addresses[bare]
        self._emit(ExternalAddressExpired(bare))
        return True
