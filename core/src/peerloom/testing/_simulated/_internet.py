"""The simulated internet: how packets find their way between its places, and how long they take."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from peerloom._wakeup import wakeup_kind

from ._chance import draw
from ._nat_table import LIFETIME_SECONDS, Dependence, Endpoint, NatMapping, NatTable, Protocol
from ._places import EVERYBODY, Host, Nat, Realm, Unsolicited
from ._wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from peerloom._wakeup import Wakeup

    from ._chance import Chance, Distribution
    from ._pipe import PipeEnd

_PUBLIC_NET: Final = 20  # 20.0.0.0/8: an address that no code takes for a private one


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
class Path:
    """The way between two addresses of one realm.

    Attributes:
        latency: seconds one way.
    """

    latency: float


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
        self.wire: Wire = Wire()
        self.public: Realm = Realm(_PUBLIC_NET)
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
            host.group = EVERYBODY
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
