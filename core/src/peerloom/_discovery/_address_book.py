"""AddressBook: where peers may be reached, within bounds. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from attrs import define

from peerloom._addresses import is_relayed

if TYPE_CHECKING:
    from collections.abc import Container

    from multiaddr import Multiaddr

    from peerloom._peer_id import PeerId

MAX_PEERS: Final = 4096  # the ancestor's bound; an attacker can make up any number of peers
MAX_ADDRESSES: Final = 4  # of one peer, as the ancestor keeps
MAX_FAILURES: Final = 3  # in a row, then an address is taken for dead


class Standing(IntEnum):
    """How much a peer is worth remembering when the book is full."""

    ORDINARY = 0
    USEFUL = 1  # serves others: a relay, a rendezvous point
    CONNECTED = 2
    KEPT = 3  # a boot node, or named by the application; its addresses outlive failures


@define
class _Entry:
    failures: int = 0
    proven: bool = False
    certified: bool = False  # only by a record that the peer signed


class AddressBook:
    """Addresses by peer.

    A full peer loses the address that failed most, then one that never led to a connection, then
    the one confirmed longest ago. A full book loses the peer of the lowest standing, then of the
    fewest addresses, then the one heard of longest ago; never the one just added.
    """

    def __init__(self, max_peers: int = MAX_PEERS) -> None:
        self._max_peers = max_peers
        self._peers: dict[PeerId, dict[Multiaddr, _Entry]] = {}
        self._standings: dict[PeerId, Standing] = {}
        ranks = len(Standing) * (MAX_ADDRESSES + 1)
        self._by_rank: list[dict[PeerId, None]] = [{} for _ in range(ranks)]

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._peers

    def count_addresses(self) -> int:
        """How many addresses there are in all."""
        return sum(map(len, self._peers.values()))

    def addresses(self, peer: PeerId) -> tuple[Multiaddr, ...]:
        """A peer's addresses, best first: direct, without failures, proven, newest."""
        newest_first = reversed(self._peers.get(peer, {}).items())
        ranked = sorted(
            newest_first,
            key=lambda item: (is_relayed(item[0]), item[1].failures, not item[1].proven),
        )
        return tuple(address for address, _ in ranked)

    def touch(self, peer: PeerId) -> PeerId | None:
        """Note that a peer was heard of; gives the peer that had to go for it."""
        if peer in self._peers:
            self._unrank(peer)
            self._rank(peer)
            return None
        self._peers[peer] = {}
        self._standings[peer] = Standing.ORDINARY
        self._rank(peer)
        return self._evict(peer) if len(self._peers) > self._max_peers else None

    def set_standing(self, peer: PeerId, standing: Standing) -> None:
        """Say what a peer that the book has is worth."""
        self._unrank(peer)
        self._standings[peer] = standing
        self._rank(peer)

    def add(
        self,
        peer: PeerId,
        address: Multiaddr,
        *,
        proven: bool = False,
        certified: bool = False,
    ) -> None:
        """Put in an address of a peer that the book has, or confirm it: its failures are over.

        Args:
            peer: whose address it is.
            address: without the peer id.
            proven: whether it led to a connection, rather than being claimed by somebody.
            certified: whether the peer has signed for it.
        """
        self._unrank(peer)
        entries = self._peers[peer]
        old = entries.pop(address, None)
        if old is None and len(entries) >= MAX_ADDRESSES:
            del entries[_least_worthy(entries)]
        entries[address] = _Entry(
            proven=proven or (old is not None and old.proven),
            certified=not proven and (certified if old is None else old.certified),
        )
        self._rank(peer)

    def drop_certified(self, peer: PeerId, besides: Container[Multiaddr]) -> None:
        """Take out what a peer had signed for and no longer does, unless it led to the peer."""
        entries = self._peers[peer]
        stale = [
            address
            for address, entry in entries.items()
            if entry.certified and address not in besides
        ]
        self._unrank(peer)
        for address in stale:
            del entries[address]
        self._rank(peer)

    def record_failure(self, peer: PeerId, address: Multiaddr) -> bool:
        """Note that a dial failed there; gives whether the address was dropped for it."""
        entry = self._peers.get(peer, {}).get(address)
        if entry is None:
            return False
        entry.failures = min(entry.failures + 1, MAX_FAILURES)
        if entry.failures < MAX_FAILURES or self._standings[peer] is Standing.KEPT:
            return False
        self._unrank(peer)
        del self._peers[peer][address]
        self._rank(peer)
        return True

    def forget(self, peer: PeerId) -> None:
        """Take a peer out."""
        self._unrank(peer)
        del self._peers[peer], self._standings[peer]

    def _evict(self, spared: PeerId) -> PeerId | None:
        for bucket in self._by_rank:
            for peer in bucket:
                if peer != spared:
                    self.forget(peer)
                    return peer
        return None

    def _bucket(self, peer: PeerId) -> dict[PeerId, None]:
        count = len(self._peers[peer])
        return self._by_rank[self._standings[peer] * (MAX_ADDRESSES + 1) + count]

    def _rank(self, peer: PeerId) -> None:
        self._bucket(peer)[peer] = None

    def _unrank(self, peer: PeerId) -> None:
        del self._bucket(peer)[peer]


def _least_worthy(entries: dict[Multiaddr, _Entry]) -> Multiaddr:
    oldest_first = entries.items()  # min keeps the first of equals
    return min(oldest_first, key=lambda item: (-item[1].failures, item[1].proven))[0]
