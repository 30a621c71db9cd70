"""DiscoveryState: what is known of peers, and whether others can reach this node. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from peerloom._addresses import (
    MAX_ADDRESS_BYTES,
    ip_of,
    is_link_local,
    is_loopback,
    is_relayed,
    split_peer,
)
from peerloom._links import Role

from ._address_book import MAX_ADDRESSES, MAX_PEERS, AddressBook, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from multiaddr import Multiaddr

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId

MAX_PROTOCOLS: Final = 256  # of one peer; honest ones speak some twenty
MAX_SOURCES: Final = 8  # mechanisms that found one peer; there are four or five
MDNS: Final = "mdns"

_ROLES: Final = {
    "/libp2p/circuit/relay/0.2.0/hop": "relay",
    "/rendezvous/1.0.0": "rendezvous",
    "/libp2p/autonat/2/dial-request": "autonat",
}
_KAD_SUFFIX: Final = "/kad/1.0.0"  # networks of their own put their name before it


@frozen
class PeerFacts:
    """What is known of a peer, for those who ask.

    Attributes:
        addresses: where it may be reached, best first.
        protocols: what it accepts, as it said last.
        roles: what it can do for others.
        sources: which mechanisms found it.
        connections: how many connections stand.
    """

    addresses: tuple[Multiaddr, ...]
    protocols: frozenset[str]
    roles: frozenset[str]
    sources: frozenset[str]
    connections: int


@define
class _Record:
    protocols: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    sources: dict[str, float] = field(factory=dict)
    connections: int = 0
    roles_told: bool = False  # since it is connected


class DiscoveryState:
    """The one place where facts about peers meet; told of events, asked by plain questions.

    Args:
        kept: boot nodes and what else must never be forgotten.
        max_held: how many discovered peers `held` names.
        max_peers: how many peers are remembered.
    """

    def __init__(
        self, kept: Iterable[PeerId] = (), max_held: int = 32, max_peers: int = MAX_PEERS
    ) -> None:
        self._book = AddressBook(max_peers)
        self._records: dict[PeerId, _Record] = {}
        self._found: dict[PeerId, None] = {}  # freshest last
        self._max_held = max_held
        self._held: frozenset[PeerId] | None = None
        self._kept: set[PeerId] = set()
        self._public: bool | None = None
        for peer in kept:
            self.keep(peer)

    @property
    def public(self) -> bool | None:
        """Whether a direct external address is confirmed; None while nothing was ever said."""
        return self._public

    def __len__(self) -> int:
        return len(self._records)

    def count_addresses(self) -> int:
        """How many addresses are known in all."""
        return self._book.count_addresses()

    def is_connected(self, peer: PeerId) -> bool:
        """Whether a connection to the peer stands."""
        record = self._records.get(peer)
        return record is not None and record.connections > 0

    def addresses_of(self, peer: PeerId) -> tuple[Multiaddr, ...]:
        """A peer's addresses, best first."""
        return self._book.addresses(peer)

    def facts(self, peer: PeerId) -> PeerFacts | None:
        """All that is known of a peer, or None."""
        record = self._records.get(peer)
        return None if record is None else self._facts(peer, record)

    def connected_peers(self) -> tuple[tuple[PeerId, PeerFacts], ...]:
        """The peers that are connected, with what is known of them."""
        return tuple(
            (peer, self._facts(peer, record))
            for peer, record in self._records.items()
            if record.connections
        )

    def held(self) -> frozenset[PeerId]:
        """The connected peers that discovery found, the freshest, up to the bound."""
        if self._held is None:
            connected = (peer for peer in reversed(self._found) if self.is_connected(peer))
            self._held = frozenset(islice(connected, self._max_held))
        return self._held

    def keep(self, peer: PeerId) -> None:
        """Never forget this peer or its addresses."""
        self._kept.add(peer)
        self._touch(peer)
        self._rate(peer)

    def unkeep(self, peer: PeerId) -> None:
        """Treat this peer like others again."""
        self._kept.discard(peer)
        if peer in self._records:
            self._rate(peer)

    def connected(self, connection: ConnectionInfo, established: int) -> None:
        """A connection stands. Where others came in from is no address: the port is ephemeral."""
        peer = connection.peer
        record = self._touch(peer)
        record.connections = established
        self._rate(peer)
        self._held = None
        if connection.role is Role.DIALER and not connection.relayed:
            self._book.add(peer, split_peer(connection.remote_address)[0], proven=True)

    def disconnected(self, peer: PeerId, remaining: int) -> None:
        """A connection has ended."""
        record = self._records.get(peer)
        if record is None:
            return
        record.connections = remaining
        record.roles_told = record.roles_told and remaining > 0
        self._rate(peer)
        self._held = None

    def identified(
        self,
        peer: PeerId,
        protocols: Iterable[str],
        addresses: Iterable[Multiaddr],
        *,
        allow_loopback: bool,
        certified: bool = False,
    ) -> frozenset[str] | None:
        """A peer has said what it speaks and where it listens; `certified` if it signed for that.

        Gives its roles when they changed, or are heard for the first time since it is connected.
        """
        record = self._touch(peer)
        record.protocols = frozenset(islice(protocols, MAX_PROTOCOLS))
        self._claim(peer, addresses, allow_loopback=allow_loopback, certified=certified)
        roles = roles_of(record.protocols)
        changed = roles != record.roles or (bool(roles) and not record.roles_told)
        record.roles, record.roles_told = roles, True
        self._rate(peer)
        return roles if changed else None

    def discovered(
        self,
        peer: PeerId,
        addresses: Iterable[Multiaddr],
        source: str,
        now: float,
        *,
        allow_loopback: bool,
    ) -> None:
        """A mechanism has found a peer. Neighbours are reached directly, not through a relay."""
        record = self._touch(peer)
        if source in record.sources or len(record.sources) < MAX_SOURCES:
            record.sources[source] = now
        self._found.pop(peer, None)
        self._found[peer] = None
        self._held = None
        direct_only = source == MDNS
        wanted = (one for one in addresses if not (direct_only and is_relayed(one)))
        self._claim(peer, wanted, allow_loopback=allow_loopback)

    def add_addresses(self, peer: PeerId, addresses: Iterable[Multiaddr]) -> None:
        """The application says where a peer is."""
        self._touch(peer)
        for address in addresses:
            self._book.add(peer, split_peer(address)[0])

    def dial_failed(self, peer: PeerId, addresses: Iterable[Multiaddr]) -> None:
        """A dial to a peer failed at these addresses."""
        for address in addresses:
            self._book.record_failure(peer, split_peer(address)[0])

    def external_addresses(self, addresses: Iterable[Multiaddr]) -> bool | None:
        """These external addresses are confirmed now; gives the reachability if it changed."""
        public = any(not is_relayed(address) for address in addresses)
        if public == self._public:
            return None
        self._public = public
        return public

    def _facts(self, peer: PeerId, record: _Record) -> PeerFacts:
        return PeerFacts(
            self._book.addresses(peer),
            record.protocols,
            record.roles,
            frozenset(record.sources),
            record.connections,
        )

    def _touch(self, peer: PeerId) -> _Record:
        evicted = self._book.touch(peer)
        if evicted is not None:
            del self._records[evicted]
            self._found.pop(evicted, None)
            self._held = None
        return self._records.setdefault(peer, _Record())

    def _rate(self, peer: PeerId) -> None:
        record = self._records[peer]
        if peer in self._kept:
            standing = Standing.KEPT
        elif record.connections:
            standing = Standing.CONNECTED
        else:
            standing = Standing.USEFUL if record.roles else Standing.ORDINARY
        self._book.set_standing(peer, standing)

    def _claim(
        self,
        peer: PeerId,
        addresses: Iterable[Multiaddr],
        *,
        allow_loopback: bool,
        certified: bool = False,
    ) -> None:
        bare = dict.fromkeys(
            split_peer(address)[0]
            for address in addresses
            if is_believable(address, peer, allow_loopback=allow_loopback)
        )
        if certified:
            self._book.drop_certified(peer, besides=bare)
        # The best claims come first, and what is added last counts as newest.
        for address in reversed(list(islice(bare, MAX_ADDRESSES))):
            self._book.add(peer, address, certified=certified)


def is_believable(address: Multiaddr, peer: PeerId, *, allow_loopback: bool) -> bool:
    """Whether an address that a peer claims is worth a dial: claims may come from an attacker."""
    if len(address.to_bytes()) > MAX_ADDRESS_BYTES:
        return False
    try:
        bare, named = split_peer(address)
    except ValueError:  # /p2p/ and something that is no peer id
        return False
    if not bare.to_bytes() or named not in {None, peer}:
        return False
    if is_loopback(bare) and not allow_loopback:
        return False
    ip = ip_of(bare)
    return not (is_link_local(bare) or (ip is not None and (ip.is_unspecified or ip.is_multicast)))


def roles_of(protocols: Iterable[str]) -> frozenset[str]:
    """What a peer that accepts these protocols can do for others."""
    roles = {_ROLES[protocol] for protocol in protocols if protocol in _ROLES}
    if any(protocol.endswith(_KAD_SUFFIX) for protocol in protocols):
        roles.add("kad")
    return frozenset(roles)
