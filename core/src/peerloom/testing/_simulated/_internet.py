"""The simulated internet: address spaces, the hosts and NATs in them, and the ways between them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, Literal

from attrs import define, field, frozen

from peerloom._addresses import tcp_address
from peerloom._wakeup import wakeup_kind

from ._chance import draw
from ._nat_table import LIFETIME_SECONDS, Dependence, Endpoint, NatMapping, NatTable, Protocol
from ._wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from multiaddr import Multiaddr

    from peerloom._wakeup import Wakeup

    from ._chance import Chance, Distribution
    from ._pipe import PipeEnd
    from ._tcp import Arrivals, OpenDial
    from ._udp import SimulatedUdpSocket

NatKind = Literal["endpoint-independent", "address-dependent", "port-dependent", "symmetric"]
Unsolicited = Literal["drop", "refuse"]

FIRST_EPHEMERAL_PORT: Final = 49152  # RFC 6335, section 6
_PUBLIC_NET: Final = 20  # 20.0.0.0/8: an address that no code takes for a private one
_PRIVATE_NET: Final = 10
_EVERYBODY: Final = -1


@frozen
class Weather:
    """What the network is like, the same everywhere.

    Attributes:
        latency: seconds that anything takes one way between two places, drawn once for each pair.
        jitter: seconds that are added to that, drawn for each piece; nothing overtakes on a link.
        bandwidth: bytes a second that each host can send, and receive; None for no bound.
        link_lifetime: seconds after which a link breaks, drawn for each; None for never.
        datagram_loss: the part of all datagrams that is lost, from 0 to 1.
    """

    latency: Distribution = 0.05
    jitter: Distribution = 0.0
    bandwidth: float | None = None
    link_lifetime: Distribution | None = None
    datagram_loss: float = 0.0


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
        self.ip = outside.settle(self)
        self.inside = Realm(_PRIVATE_NET, number, self)
        self.outside = outside
        self._table = table
        self.refuses = unsolicited == "refuse"
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
class Path:
    """The way between two addresses of one realm.

    Attributes:
        latency: seconds one way.
    """

    latency: float


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
    group: int = _EVERYBODY
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


@frozen(eq=False)
class Packet:
    """Something on its way, as it left the last NAT on its side.

    Attributes:
        sender: who sent it.
        protocol: tcp or udp.
        source: whom it comes from, as seen out there.
        target: whom it is for.
        realm: where both addresses mean something.
        path: how long it takes.
        mappings: those that it left through.
    """

    sender: Host
    protocol: Protocol
    source: Endpoint
    target: Endpoint
    realm: Realm
    path: Path
    mappings: tuple[NatMapping, ...]


@frozen(eq=False)
class Landing:
    """Where a packet has come to.

    Attributes:
        host: the host.
        endpoint: its own endpoint, as it sees it.
        source: whom it comes from, as it sees it.
        mappings: those that it came through.
    """

    host: Host
    endpoint: Endpoint
    source: Endpoint
    mappings: tuple[NatMapping, ...]


class Lost:
    """A packet that nobody got; `refused` says whether its sender is told."""

    def __init__(self, *, refused: bool) -> None:
        self.refused = refused


_SILENTLY: Final = Lost(refused=False)
_REFUSED: Final = Lost(refused=True)


class Internet:
    """Where everything is, and how it is reached.

    Attributes:
        wire: what is under way, and the time.
        wakeup: makes wakeups for the event loop in which the network runs.
        held: pipe ends for which something waits until a partition heals.
        chance: for jitter, lifetimes and losses, in the order in which they come up.
    """

    wakeup: Callable[[], Wakeup]

    def __init__(self, weather: Weather, chance: Chance) -> None:
        self.weather = weather
        self.wire = Wire()
        self.public = Realm(_PUBLIC_NET)
        self.held: dict[PipeEnd, None] = {}
        self.chance: Random = chance.of("weather")
        self._chances = chance
        self._numbers = count(1)
        self._paths: dict[tuple[Realm, str, str], Path] = {}

    def begin(self) -> None:
        """Run in the event loop that runs now."""
        self.wakeup = wakeup_kind()

    def add_host(self, name: str, nat: Nat | None, bandwidth: float | None) -> Host:
        """A host on the internet or behind a NAT, switched off."""
        realm = nat.inside if nat else self.public
        host = Host(name, realm, self.weather.bandwidth if bandwidth is None else bandwidth)
        host.ip = realm.settle(host)
        return host

    def add_nat(  # noqa: PLR0913 - what a NAT can be, each by its name
        self,
        *,
        mapping: Dependence,
        filtering: Dependence,
        behind: Nat | None = None,
        unsolicited: Unsolicited = "drop",
        hairpins: bool = False,
        lifetime_seconds: float = LIFETIME_SECONDS,
    ) -> Nat:
        """A NAT on the internet, or behind another one."""
        number = next(self._numbers)
        table = NatTable(mapping, filtering, self._chances.of("nat", number), lifetime_seconds)
        outside = behind.inside if behind else self.public
        return Nat(outside, number, table, unsolicited=unsolicited, hairpins=hairpins)

    def send(
        self, host: Host, protocol: Protocol, source: Endpoint, target: Endpoint
    ) -> Packet | None:
        """Let a packet leave through the NATs on its way; None if no way leads there."""
        realm, mappings = host.realm, []
        while host.up and target[0] not in realm.places and (nat := realm.gateway) is not None:
            mapping = nat.maps(protocol, source, target, self.wire.now())
            mappings.append(mapping)
            source, realm = (nat.ip, mapping.port), nat.outside
        if not host.up or target[0] not in realm.places:
            return None
        path = self._path(realm, source[0], target[0])
        return Packet(host, protocol, source, target, realm, path, tuple(mappings))

    def land(self, packet: Packet) -> Landing | Lost:
        """Let a packet in through the NATs on its way, now that it is there."""
        place, target, mappings = packet.realm.places[packet.target[0]], packet.target, []
        while isinstance(place, Nat):
            mapping = place.admits(packet.protocol, target[1], packet.source, self.wire.now())
            if mapping is None:
                return _REFUSED if place.refuses else _SILENTLY
            mappings.append(mapping)
            target = mapping.inside
            place = place.inside.places[target[0]]
        if not place.up or place.group != packet.sender.group:
            return _SILENTLY
        return Landing(place, target, packet.source, tuple(mappings))

    def arrival(self, sender: Host, receiver: Host | None, path: Path, size: int) -> float:
        """When so many bytes that are sent now will have come in whole."""
        now = self.wire.now()
        begin = end = max(now, sender.sending_until)
        if sender.bandwidth:
            end = sender.sending_until = begin + size / sender.bandwidth
        latency = path.latency + self._jitter()
        if receiver is None or not receiver.bandwidth:
            return end + latency
        first = max(begin + latency, receiver.receiving_until)
        receiver.receiving_until = max(end + latency, first + size / receiver.bandwidth)
        return receiver.receiving_until

    def partition(self, groups: Iterable[Iterable[Host]], hosts: Iterable[Host]) -> None:
        """Let nothing pass between the groups any more; the other hosts are one group more."""
        for host in hosts:
            host.group = _EVERYBODY
        for number, group in enumerate(groups):
            for host in group:
                host.group = number
        ends, self.held = self.held, {}
        for end in ends:
            end.release()

    def latency(self, one: Host, other: Host) -> float:
        """Seconds one way between two hosts, NATs or not."""
        realms = dict(_outward(one))
        for realm, ip in _outward(other):
            if realm in realms:
                return self._path(realm, realms[realm], ip).latency
        raise AssertionError("every way out leads to the internet")

    def _jitter(self) -> float:
        jitter = self.weather.jitter
        return draw(jitter, self.chance) if jitter else 0.0

    def _path(self, realm: Realm, source: str, target: str) -> Path:
        one, other = sorted((source, target))
        key = (realm, one, other)
        found = self._paths.get(key)
        if found is None:
            chance = self._chances.of("path", realm.net, realm.number, one, other)
            latency = 0.0 if one == other else draw(self.weather.latency, chance)
            found = self._paths[key] = Path(latency)
        return found


def _outward(host: Host) -> Iterable[tuple[Realm, str]]:
    """The realms from a host's own outwards, with its address as it is seen there."""
    realm, ip = host.realm, host.ip
    yield realm, ip
    while (nat := realm.gateway) is not None:
        realm, ip = nat.outside, nat.ip
        yield realm, ip
