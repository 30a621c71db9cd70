"""Places of the simulated internet: address spaces, and the hosts and NATs in them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from attrs import define, field

from peerloom._addresses import tcp_address

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from ._nat_table import Endpoint, NatMapping, NatTable, Protocol
    from ._pipe import PipeEnd
    from ._tcp import Arrivals, OpenDial
    from ._udp import SimulatedUdpSocket

NatKind = Literal["endpoint-independent", "address-dependent", "port-dependent", "symmetric"]
"""How a NAT behaves.

The first three keep one mapping for each socket inside, and let in everybody, the hosts that were
written to, or the ports that were; ``symmetric`` makes a mapping for each destination.
"""
Unsolicited = Literal["drop", "refuse"]

FIRST_EPHEMERAL_PORT: Final = 49152  # RFC 6335, section 6
ANY_HOST: Final = "0.0.0.0"  # noqa: S104 - stands for the one address that a host has
EVERYBODY: Final = -1  # the group of those that no partition names
_PRIVATE_NET: Final = 10


@define(eq=False)
class Realm:
    """An address space: the internet, or the network behind a NAT.

    Attributes:
        net: the first byte of its addresses.
        number: the two bytes behind that, where there are several such networks.
        gateway: the NAT that leads out of it, or None on the internet.
        places: who is where.
    """

    net: int
    number: int = 0
    gateway: Nat | None = None
    places: dict[str, Host | Nat] = field(factory=dict)
    _next: count[int] = field(factory=lambda: count(1))

    def settle(self, place: Host | Nat) -> str:
        """A free address, which is the place's from now on."""
        number = (self.number << 8) + next(self._next)
        ip = f"{self.net}.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        self.places[ip] = place
        return ip


class Nat:
    """A network address translator, with a network of its own behind it.

    Made by `SimulatedNetwork.nat`.

    Attributes:
        ip: its address outside.
        inside: the network behind it.
    """

    def __init__(
        self,
        outside: Realm,
        number: int,
        table: NatTable,
        *,
        unsolicited: Unsolicited,
        hairpins: bool,
    ) -> None:
        self.ip: str = outside.settle(self)
        self.inside: Realm = Realm(_PRIVATE_NET, number, self)
        self.outside = outside
        self._table = table
        self.refuses: bool = unsolicited == "refuse"
        self._hairpins = hairpins

    def forward(self, inside: Endpoint, port: int) -> Multiaddr:
        """Open a TCP port for everybody, as by hand; gives its address."""
        self._table.forward("tcp", inside, port)
        return tcp_address(self.ip, port)

    def maps(
        self, protocol: Protocol, inside: Endpoint, remote: Endpoint, now: float
    ) -> NatMapping:
        """The mapping through which a packet leaves."""
        return self._table.outward(protocol, inside, remote, now)

    def restart(self) -> None:
        """Lose every mapping that was not made by hand; links that stand go on."""
        self._table.forget()

    def admits(
        self, protocol: Protocol, port: int, remote: Endpoint, now: float
    ) -> NatMapping | None:
        """The mapping that a packet from outside may pass, or None."""
        if remote[0] == self.ip and not self._hairpins:
            return None
        return self._table.inward(protocol, port, remote, now)


@define(eq=False)
class Host:
    """The machine of one node.

    Attributes:
        name: the node's.
        realm: where it is.
        bandwidth: bytes a second in each direction, or None.
        ip: its address there.
        up: whether it is switched on.
        group: the side of a partition that it is on.
        sending_until: when all that it has been given to send will have left.
        receiving_until: when all that is on its way will have come in.
        listeners: who accepts links, by port.
        dials: who waits for an answer, by own port and remote endpoint.
        links: ends of standing links, by own port and remote endpoint.
        sockets: UDP sockets, by port.
    """

    name: str
    realm: Realm
    bandwidth: float | None
    ip: str = ""
    up: bool = False
    group: int = EVERYBODY
    sending_until: float = 0.0
    receiving_until: float = 0.0
    listeners: dict[int, Arrivals] = field(factory=dict)
    dials: dict[tuple[int, Endpoint], OpenDial] = field(factory=dict)
    links: dict[tuple[int, Endpoint], PipeEnd] = field(factory=dict)
    sockets: dict[int, SimulatedUdpSocket] = field(factory=dict)
    _ports: count[int] = field(factory=lambda: count(FIRST_EPHEMERAL_PORT))

    def free_port(self) -> int:
        """A port that nobody has had."""
        return next(self._ports)

    def unsent_bytes(self, now: float) -> float:
        """What has been given to it to send and has not left."""
        return max(0.0, self.sending_until - now) * (self.bandwidth or 0.0)
