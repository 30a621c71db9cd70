"""At which IPs a peer is, for the score of those that share one (P6)."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

    from peerloom.plugin import ConnectionInfo

_IPV6_BITS: Final = 64  # whoever has one address of such a network has them all


class IpTable:
    """Finds the IPs of connections, but for those where many peers may be."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """`allowed` are networks, such as ``10.0.0.0/8``."""
        self._allowed: list[IPv4Network | IPv6Network] = [ip_network(each) for each in allowed]

    def of(self, connections: Iterable[ConnectionInfo]) -> frozenset[str]:
        """Where these connections come from; a relay's address says nothing of its peer."""
        return frozenset(
            place
            for connection in connections
            if not connection.relayed
            for place in self._places(str(connection.remote_address))
        )

    def _places(self, address: str) -> Iterable[str]:
        match address.split("/"):
            case ["", "ip4" | "ip6", host, *_]:
                ip = ip_address(host)
            case _:
                return
        if any(ip in network for network in self._allowed):
            return
        yield str(ip)
        if isinstance(ip, IPv6Address):
            yield str(ip_network((ip, _IPV6_BITS), strict=False))
