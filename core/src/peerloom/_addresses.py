"""Questions that the node asks of multiaddrs."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from multiaddr import Multiaddr

from ._errors import MalformedMessage
from ._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterator

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Peers tell the same addresses again and again, and to take one apart is slow.
CACHED_ADDRESSES: Final = 4096  # as many as there are peers in the address book
MAX_ADDRESS_BYTES: Final = 1024  # the longest honest one is a relayed address of about 200

_IP4: Final = b"\x04"
_IP6: Final = b"\x29"
_FAMILIES: Final = {"ip4": socket.AF_INET, "ip6": socket.AF_INET6}
_TCP: Final = b"\x06"
_UDP: Final = b"\x91\x02"
_QUIC_V1: Final = b"\xcd\x03"


def read_address(address: Multiaddr | str) -> Multiaddr:
    """What somebody gave as an address; raises ValueError unless it is one, with an example."""
    try:
        return Multiaddr(address)
    except (ValueError, TypeError) as error:
        why = f" ({error})" if isinstance(address, str) and address.startswith("/") else ""
        raise ValueError(
            f"expected an address such as /ip4/127.0.0.1/tcp/2428, found {address!r}{why}"
        ) from error


@lru_cache(maxsize=CACHED_ADDRESSES)
def components(address: Multiaddr) -> tuple[tuple[str, str], ...]:
    """Each protocol's name with its value, as in ``(("ip4", "127.0.0.1"), ("tcp", "80"))``."""
    return tuple((protocol.name, value or "") for protocol, value in address.items())


def names(address: Multiaddr) -> tuple[str, ...]:
    """The protocol names alone, as in ``("ip4", "tcp", "p2p")``."""
    return tuple(name for name, _ in components(address))


@lru_cache(maxsize=CACHED_ADDRESSES)
def address_from_wire(data: bytes) -> Multiaddr:
    """Decode an address that a peer sent; raises `MalformedMessage` unless it is canonical."""
    if not 0 < len(data) <= MAX_ADDRESS_BYTES:
        raise MalformedMessage(f"an address of {len(data)} bytes")
    try:
        address = Multiaddr(str(Multiaddr(data)))
    except ValueError as error:
        raise MalformedMessage(f"not a multiaddr: {error}") from error
    if address.to_bytes() != data:
        raise MalformedMessage("a multiaddr that is cut short or not canonical")
    _check_readable(address)
    return address


def address_from_text(text: str) -> Multiaddr:
    """Read an address that somebody else wrote; raises `MalformedMessage` unless it is one."""
    try:
        return address_from_wire(Multiaddr(text).to_bytes())
    except ValueError as error:
        raise MalformedMessage(f"not a multiaddr: {error}") from error


def _check_readable(address: Multiaddr) -> None:
    """The codec takes addresses that it cannot take apart again, and ids that no peer may have."""
    try:
        for name, value in components(address):
            if name == "p2p":
                PeerId.from_string(value)
    except ValueError as error:
        raise MalformedMessage(f"not a usable multiaddr: {error}") from error


def split_peer(address: Multiaddr) -> tuple[Multiaddr, PeerId | None]:
    """The address without a last ``/p2p/<id>``, and that id."""
    parts = components(address)
    if not parts or parts[-1][0] != "p2p":
        return address, None
    return _without_last_peer(address), PeerId.from_string(parts[-1][1])


def _without_last_peer(address: Multiaddr) -> Multiaddr:
    last = Multiaddr(f"/p2p/{components(address)[-1][1]}").to_bytes()
    return Multiaddr(address.to_bytes()[: -len(last)])


def with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr:
    """The address with ``/p2p/<id>`` at its end."""
    if split_peer(address)[1] == peer:
        return address
    return address.encapsulate(Multiaddr(f"/p2p/{peer}"))


def with_free_port(address: Multiaddr) -> Multiaddr:
    """The address with port 0, which stands for any free one."""
    parts = (
        (name, "0" if name in {"tcp", "udp"} else value) for name, value in components(address)
    )
    return Multiaddr("".join(f"/{name}/{value}" if value else f"/{name}" for name, value in parts))


def is_relayed(address: Multiaddr) -> bool:
    """Whether the address leads through a relay."""
    return "p2p-circuit" in names(address)


def ip_of(address: Multiaddr) -> IpAddress | None:
    """The IP address that a multiaddr begins with, or None."""
    first = next(iter(components(address)), None)
    if first is None or first[0] not in {"ip4", "ip6"}:
        return None
    return ipaddress.ip_address(first[1])


def is_loopback(address: Multiaddr) -> bool:
    """Whether only this machine can use it."""
    ip = ip_of(address)
    return ip is not None and ip.is_loopback


def is_unspecified(address: Multiaddr) -> bool:
    """Whether it stands for every interface, as ``0.0.0.0`` and ``::`` do."""
    ip = ip_of(address)
    return ip is not None and ip.is_unspecified


def is_link_local(address: Multiaddr) -> bool:
    """Whether only neighbours on one link can use it."""
    ip = ip_of(address)
    return ip is not None and ip.is_link_local


def is_private(address: Multiaddr) -> bool:
    """Whether it is of a network that the internet does not route."""
    ip = ip_of(address)
    return ip is not None and ip.is_private and not ip.is_loopback


def tcp_endpoint(address: Multiaddr) -> tuple[socket.AddressFamily, str, int] | None:
    """Family, host and port of ``/ip4|ip6/…/tcp/…``, or None for any other address."""
    match components(split_peer(address)[0]):
        case [(("ip4" | "ip6") as ip, host), ("tcp", port)]:
            return _FAMILIES[ip], host, int(port)
        case _:
            return None


def quic_endpoint(address: Multiaddr) -> tuple[socket.AddressFamily, str, int] | None:
    """Family, host and port of ``/ip4|ip6/…/udp/…/quic-v1``, or None for any other address."""
    match components(split_peer(address)[0]):
        case [(("ip4" | "ip6") as ip, host), ("udp", port), ("quic-v1", _)]:
            return _FAMILIES[ip], host, int(port)
        case _:
            return None


def tcp_address(host: str, port: int) -> Multiaddr:
    """``/ip4|ip6/<host>/tcp/<port>``; an IPv4 address mapped into IPv6 becomes IPv4."""
    return Multiaddr(_ip_part(host) + _TCP + port.to_bytes(2, "big"))


def quic_address(host: str, port: int) -> Multiaddr:
    """``/ip4|ip6/<host>/udp/<port>/quic-v1``, likewise."""
    return Multiaddr(_ip_part(host) + _UDP + port.to_bytes(2, "big") + _QUIC_V1)


def _ip_part(host: str) -> bytes:
    ip = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return (_IP4 if ip.version == 4 else _IP6) + ip.packed


def interface_hosts(family: socket.AddressFamily) -> Iterator[str]:
    """The IP addresses of this machine's interfaces, loopback included, link-local not."""
    import psutil  # noqa: PLC0415 - 20 ms that only a wildcard listener needs

    for addresses in psutil.net_if_addrs().values():
        for entry in addresses:
            if entry.family != family:
                continue
            ip = ipaddress.ip_address(entry.address.partition("%")[0])
            if not ip.is_link_local:
                yield str(ip)
