"""Ports, IPv6, multicast; nothing that is sent leaves this machine."""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, Final

from multiaddr import Multiaddr

from peerloom._addresses import quic_endpoint, tcp_endpoint
from peerloom._cli._nodes import EVERYWHERE
from peerloom._data_folder import holder_of

from ._check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerloom._config import NetworkConfig

MULTICAST_SECONDS: Final = 1.0
_GROUP: Final = "239.255.24.28"  # administratively scoped (RFC 2365), nobody's
_BEYOND: Final = ("2001:db8::1", 9)  # reserved for documentation: only routes are asked
_ABSENT: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}

Endpoint = tuple[socket.AddressFamily, str, int]


def check_ports(config: NetworkConfig, folder: Path) -> Iterator[Check]:
    """Whether each port that a node of this configuration listens on can be bound."""
    gives_way = config.free_port_if_taken or not config.listen
    holder = holder_of(folder)
    for address in config.listen or map(Multiaddr, EVERYWHERE):
        tcp, quic = tcp_endpoint(address), quic_endpoint(address)
        if tcp is not None:
            yield _check_port(str(address), socket.SOCK_STREAM, tcp, holder, gives_way)
        elif quic is not None:
            yield _check_port(str(address), socket.SOCK_DGRAM, quic, holder, gives_way)


def check_ipv6() -> Check:
    """Whether this machine has IPv6, and a way to others by it."""
    subject = "IPv6"
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        found = f"not on this machine ({error.strerror}): nodes use IPv4 alone"
        return Check.warning(subject, found, "switch it on, unless nobody needs it here")
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect(_BEYOND)
    except OSError:
        return Check.ok(subject, "on this machine, with no route to the internet")
    return Check.ok(subject, "with a route to the internet")


def check_multicast() -> Check:
    """Whether a datagram to a group comes back; it has no hops to live, so it goes nowhere else."""
    subject = "multicast"
    change = (
        "bring up an interface that does multicast, with a route: ip route add 224.0.0.0/4 dev NAME"
    )
    try:
        came_back = _multicast()
    except OSError as error:
        came_back, reason = False, error.strerror or str(error)
    else:
        reason = "nothing comes back; perhaps a firewall drops it"
    if came_back:
        return Check.ok(subject, "works on this machine")
    return Check.warning(subject, f"{reason}: peers nearby are not found by mDNS", change)


def _multicast() -> bool:
    membership = struct.pack("4sl", socket.inet_aton(_GROUP), socket.INADDR_ANY)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sock.settimeout(MULTICAST_SECONDS)
        sock.sendto(b"peerloom", (_GROUP, sock.getsockname()[1]))
        try:
            return sock.recv(64) == b"peerloom"
        except TimeoutError:
            return False


def _check_port(
    subject: str,
    kind: socket.SocketKind,
    endpoint: Endpoint,
    holder: str | None,
    gives_way: bool,
) -> Check:
    family, host, port = endpoint
    try:
        _bind(kind, family, (host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(subject, kind, port, holder, gives_way)
        return _unusable(subject, error, gives_way)
    return Check.ok(subject, "free" if port else "any free port")


def _bind(kind: socket.SocketKind, family: socket.AddressFamily, name: tuple[str, int]) -> None:
    with socket.socket(family, kind) as sock:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(name)


def _taken(
    subject: str, kind: socket.SocketKind, port: int, holder: str | None, gives_way: bool
) -> Check:
    if holder:
        return Check.ok(subject, f"in use, as it should be where {holder} runs a node")
    letter = "t" if kind == socket.SOCK_STREAM else "u"
    change = f"see who has it by ss -l{letter}np 'sport = :{port}', or listen elsewhere"
    if gives_way:
        return Check.warning(subject, "taken: a node takes a free port instead", change)
    return Check.failed(subject, "taken", change)


def _unusable(subject: str, error: OSError, gives_way: bool) -> Check:
    reason = error.strerror or str(error)
    if error.errno in _ABSENT and gives_way:
        change = "nothing, unless others shall reach this node there"
        return Check.warning(subject, f"not here ({reason}): a node does without", change)
    if error.errno in _FORBIDDEN:
        change = "listen above port 1023, or lower the sysctl net.ipv4.ip_unprivileged_port_start"
        return Check.failed(subject, f"not allowed: {reason}", change)
    return Check.failed(subject, reason, "listen on an address that this machine has")
