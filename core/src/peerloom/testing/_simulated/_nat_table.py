"""The table of a network address translator: who inside has which port outside. Pure.

The words are those of RFC 4787 (UDP) and RFC 5382 (TCP).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attrs import define, field

if TYPE_CHECKING:
    from random import Random

Dependence = Literal["endpoint-independent", "address-dependent", "port-dependent"]
"""On what of the other side a NAT's mapping or filter depends, in the words of RFC 4787.

On nothing, on its address, or on its address and port.
"""
Endpoint = tuple[str, int]
Protocol = Literal["tcp", "udp"]

LIFETIME_SECONDS: Final = 120.0  # RFC 4787, REQ-5: not less, and not more than most have
FIRST_PORT: Final = 1024
LAST_PORT: Final = 65535


@define(eq=False)
class NatMapping:
    """One port outside, held for an endpoint inside.

    Attributes:
        inside: the endpoint inside.
        port: the port outside.
        expires_at: when it is forgotten, unless something is sent or `links` hold it.
        links: connections that hold it.
        permitted: who has been sent something through it, and until when that counts.
        open_to_all: whether it was made by hand, for everybody.
    """

    inside: Endpoint
    port: int
    expires_at: float
    links: int = 0
    permitted: dict[Endpoint, float] = field(factory=dict)
    open_to_all: bool = False

    def alive(self, now: float) -> bool:
        """Whether it still stands."""
        return self.open_to_all or self.links > 0 or now < self.expires_at


class NatTable:
    """Maps what leaves, and judges what comes.

    Args:
        mapping: on what of the remote side the port outside depends. "port-dependent" is the
            mapping of a symmetric NAT: another port for each remote endpoint.
        filtering: who may send to a port outside: anybody, the addresses that were sent something
            through it, or only those addresses and ports.
        chance: chooses the ports.
        lifetime_seconds: how long a mapping stands after the last packet that left through it.
    """

    def __init__(
        self,
        mapping: Dependence,
        filtering: Dependence,
        chance: Random,
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> None:
        self._mapping = mapping
        self._filtering = filtering
        self._chance = chance
        self._lifetime = lifetime_seconds
        self._by_inside: dict[tuple[Protocol, Endpoint, object], NatMapping] = {}
        self._by_port: dict[tuple[Protocol, int], NatMapping] = {}

    def outward(
        self, protocol: Protocol, inside: Endpoint, remote: Endpoint, now: float
    ) -> NatMapping:
        """The mapping through which a packet to `remote` leaves; it permits answers."""
        key = (protocol, inside, _seen(self._mapping, remote))
        found = self._by_inside.get(key)
        if found is None or not found.alive(now):
            found = self._add(protocol, inside, self._free_port(protocol, now), now)
            self._by_inside[key] = found
        found.expires_at = now + self._lifetime
        found.permitted[remote] = found.expires_at
        return found

    def inward(
        self, protocol: Protocol, port: int, remote: Endpoint, now: float
    ) -> NatMapping | None:
        """The mapping that a packet of `remote` to that port may pass, or None."""
        found = self._by_port.get((protocol, port))
        if found is None or not found.alive(now):
            return None
        if found.open_to_all or self._filtering == "endpoint-independent":
            return found
        wanted = _seen(self._filtering, remote)
        for permitted, until in found.permitted.items():
            if _seen(self._filtering, permitted) == wanted and (found.links or now < until):
                return found
        return None

    def forward(self, protocol: Protocol, inside: Endpoint, port: int) -> None:
        """Open a port for everybody, for good, as its owner does by hand."""
        mapping = self._add(protocol, inside, port, 0.0)
        mapping.open_to_all = True

    def forget(self) -> None:
        """Lose everything that was not made by hand, as when it restarts."""
        self._by_inside.clear()
        self._by_port = {
            key: mapping for key, mapping in self._by_port.items() if mapping.open_to_all
        }

    def _add(self, protocol: Protocol, inside: Endpoint, port: int, now: float) -> NatMapping:
        mapping = NatMapping(inside, port, now + self._lifetime)
        self._by_port[protocol, port] = mapping
        return mapping

    def _free_port(self, protocol: Protocol, now: float) -> int:
        while True:
            port = self._chance.randint(FIRST_PORT, LAST_PORT)
            taken = self._by_port.get((protocol, port))
            if taken is None or not taken.alive(now):
                return port


def _seen(dependence: Dependence, remote: Endpoint) -> object:
    """What of a remote endpoint makes a difference."""
    match dependence:
        case "endpoint-independent":
            return None
        case "address-dependent":
            return remote[0]
        case "port-dependent":
            return remote
