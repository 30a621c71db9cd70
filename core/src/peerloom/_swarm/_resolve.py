"""DNS in addresses: ``/dns``, ``/dns4``, ``/dns6`` and ``/dnsaddr``.

Source: multiformats/multiaddr, protocols/DNSADDR.md.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import anyio
from multiaddr import Multiaddr

from peerloom._addresses import address_from_text, components, split_peer
from peerloom._errors import MalformedMessage

from ._dial_plan import needs_resolving

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DNSADDR_DEPTH: Final = 4  # a dnsaddr may name others; go-multiaddr-dns allows 32 in all
MAX_RESOLVED: Final = 16  # addresses out of one name
RESOLVE_SECONDS: Final = 5.0

_FAMILIES: Final = {
    "dns": (socket.AF_INET, socket.AF_INET6),
    "dns4": (socket.AF_INET,),
    "dns6": (socket.AF_INET6,),
}


async def resolve(address: Multiaddr) -> list[Multiaddr]:
    """The addresses that a name stands for, at most 16; raises OSError when it has none."""
    try:
        with anyio.fail_after(RESOLVE_SECONDS):
            found = await _resolve(address, MAX_DNSADDR_DEPTH)
    except TimeoutError:
        raise OSError(f"DNS did not answer within {RESOLVE_SECONDS:.0f} s") from None
    if not found:
        raise OSError("the name has no address")
    return found[:MAX_RESOLVED]


async def _resolve(address: Multiaddr, depth: int) -> list[Multiaddr]:
    if not needs_resolving(address):
        return [address]
    kind, name = components(address)[0]
    if kind == "dnsaddr":
        return await _resolve_dnsaddr(address, name, depth)
    rest = _text_behind_first(address)
    hosts = [host for family in _FAMILIES[kind] for host in await _hosts(name, family)]
    return [Multiaddr(f"{host}{rest}") for host in dict.fromkeys(hosts)]


async def _resolve_dnsaddr(address: Multiaddr, name: str, depth: int) -> list[Multiaddr]:
    if not depth:
        raise OSError(f"{name} names other names more than {MAX_DNSADDR_DEPTH} deep")
    wanted = split_peer(address)[1]
    found: list[Multiaddr] = []
    for text in await _txt_records(f"_dnsaddr.{name}"):
        if not text.startswith("dnsaddr="):
            continue
        try:
            target = address_from_text(text.removeprefix("dnsaddr="))
        except MalformedMessage:
            continue
        if wanted is None or split_peer(target)[1] == wanted:
            found += await _resolve(target, depth - 1)
        if len(found) >= MAX_RESOLVED:
            break
    return found


async def _hosts(name: str, family: socket.AddressFamily) -> Sequence[str]:
    try:
        infos = await anyio.getaddrinfo(name, None, family=family, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return ()
    prefix = "/ip4/" if family == socket.AF_INET else "/ip6/"
    return [prefix + str(info[4][0]).partition("%")[0] for info in infos]


async def _txt_records(name: str) -> Sequence[str]:
    import dns.asyncresolver  # noqa: PLC0415 - 60 ms that only a dnsaddr needs
    import dns.exception  # noqa: PLC0415

    try:
        answer = await dns.asyncresolver.resolve(name, "TXT")
    except dns.exception.DNSException as error:
        raise OSError(f"no TXT records of {name}: {error}") from error
    return [b"".join(record.strings).decode(errors="replace") for record in answer]


def _text_behind_first(address: Multiaddr) -> str:
    rest = components(address)[1:]
    return "".join(f"/{name}/{value}" if value else f"/{name}" for name, value in rest)
