"""In which order the addresses of a peer are tried. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom._addresses import ip_of, is_loopback, is_private, is_relayed, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from multiaddr import Multiaddr

DNS_NAMES = frozenset({"dns", "dns4", "dns6", "dnsaddr"})


def ranked(addresses: Iterable[Multiaddr], own: Sequence[Multiaddr] = ()) -> list[Multiaddr]:
    """The addresses, each once, best first.

    Direct before relayed, addresses of a network that we share before others, QUIC before TCP;
    otherwise as given. `own` are this node's listen addresses.
    """
    private_networks = {_network(address) for address in own if is_private(address)}
    return sorted(
        dict.fromkeys(addresses),
        key=lambda address: (
            is_relayed(address),
            not (is_loopback(address) or _network(address) in private_networks),
            "quic-v1" not in names(address),
        ),
    )


def needs_resolving(address: Multiaddr) -> bool:
    """Whether the address begins with a DNS name."""
    return any(name in DNS_NAMES for name in names(address)[:1])


def _network(address: Multiaddr) -> bytes | None:
    """The /16 or, for IPv6, the /64 that an address is of: near enough to try it first."""
    ip = ip_of(address)
    if ip is None:
        return None
    return ip.packed[:2] if ip.version == 4 else ip.packed[:8]
