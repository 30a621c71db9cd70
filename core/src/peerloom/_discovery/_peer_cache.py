"""PeerCache: peers of earlier runs, to find back into the network without anybody's help. Pure."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen
from multiaddr import Multiaddr

from peerloom._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_ADDRESSES: Final = 4  # of one peer, as in the address book
MAX_ADDRESS_BYTES: Final = 256  # a relayed one has some 200; all peers must fit into the store


@frozen
class CachedPeer:
    """A peer and where it was.

    Attributes:
        addresses: newest first.
        last_seen: seconds since 1970.
    """

    addresses: tuple[Multiaddr, ...]
    last_seen: float


class PeerCache:
    """Peers with the time when they were seen; stale ones and those beyond the bound go.

    Args:
        max_peers: how many peers are remembered; those seen longest ago go first.
        keep_seconds: for how long. A wall clock that jumped back makes nothing stale.
    """

    def __init__(self, max_peers: int, keep_seconds: float) -> None:
        self._max_peers = max_peers
        self._keep_seconds = keep_seconds
        self._peers: dict[PeerId, CachedPeer] = {}  # seen longest ago first

    def __len__(self) -> int:
        return len(self._peers)

    def addresses(self, peer: PeerId) -> tuple[Multiaddr, ...]:
        """Where the peer was, newest first."""
        cached = self._peers.get(peer)
        return cached.addresses if cached else ()

    def see(self, peer: PeerId, addresses: Iterable[Multiaddr], now: float) -> tuple[PeerId, ...]:
        """A peer is there, at these addresses, best first; gives the peers that went.

        Args:
            peer: who.
            addresses: put before those known; with none at all the peer is not remembered.
            now: the wall clock.
        """
        known = dict.fromkeys((*filter(_fits, addresses), *self.addresses(peer)))
        if known and self._max_peers:
            self._peers.pop(peer, None)
            self._peers[peer] = CachedPeer(tuple(islice(known, MAX_ADDRESSES)), now)
        return self._prune(now)

    def freshest(self, count: int) -> tuple[PeerId, ...]:
        """The peers seen last, newest first."""
        return tuple(islice(reversed(self._peers), count))

    def encode(self, peer: PeerId) -> bytes | None:
        """A peer's entry as JSON, or None if there is none."""
        cached = self._peers.get(peer)
        if cached is None:
            return None
        addresses = [str(address) for address in cached.addresses]
        return json.dumps({"addresses": addresses, "last_seen": int(cached.last_seen)}).encode()

    def load(self, entries: Iterable[tuple[str, bytes]], now: float) -> tuple[str, ...]:
        """Take in encoded entries by peer id; gives the keys that are of no use any more."""
        found: list[tuple[float, PeerId, CachedPeer]] = []
        useless = []
        for key, data in entries:
            entry = _decode(key, data)
            if entry is None:
                useless.append(key)
            else:
                found.append((entry[1].last_seen, *entry))
        for _, peer, cached in sorted(found, key=lambda each: each[:2]):
            # A clock that jumped back must not keep a peer for longer than others.
            self._peers[peer] = evolve(cached, last_seen=min(cached.last_seen, now))
        return (*useless, *map(str, self._prune(now)))

    def _prune(self, now: float) -> tuple[PeerId, ...]:
        gone: list[PeerId] = []
        for peer, cached in self._peers.items():
            surplus = len(self._peers) - len(gone) > self._max_peers
            if not surplus and now - cached.last_seen <= self._keep_seconds:
                break
            gone.append(peer)
        for peer in gone:
            del self._peers[peer]
        return tuple(gone)


def _fits(address: Multiaddr) -> bool:
    return 0 < len(address.to_bytes()) <= MAX_ADDRESS_BYTES


def _decode(key: str, data: bytes) -> tuple[PeerId, CachedPeer] | None:
    try:
        peer = PeerId.from_string(key)
        entry = json.loads(data)
        last_seen = float(entry["last_seen"])
        addresses = _readable(entry["addresses"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if not addresses or not last_seen <= float("inf"):
        return None
    return peer, CachedPeer(addresses, last_seen)


def _readable(texts: Sequence[object]) -> tuple[Multiaddr, ...]:
    addresses = []
    for text in texts[:MAX_ADDRESSES]:
        try:
            address = Multiaddr(text) if isinstance(text, str) else Multiaddr("")
        except ValueError:
            continue
        if _fits(address):
            addresses.append(address)
    return tuple(addresses)
