"""What a node is put together from: what it stands on, its swarm, and the plugins it loads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ._config_file import reserved_sections
from ._core_plugins import CORE_PLUGINS, core_plugins
from ._muxers import Yamux, YamuxSettings
from ._plugins import Inventory, given_candidate, installed_candidates, load_plugins
from ._security import Noise, Tls
from ._selection import select_plugins
from ._swarm import Surroundings, Swarm, Upgrader
from ._swarm._plugin import SwarmPlugin
from ._transports import TcpTransport, UdpSocket
from ._unread import UnreadLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from socket import AddressFamily

    from multiaddr import Multiaddr

    from ._behaviour import InboundProtocol
    from ._config import NetworkConfig
    from ._event_loop import EventLoop
    from ._libp2p import KeyPair
    from ._links import SecurityProtocol, Transport
    from ._peer_id import PeerId
    from ._plugins import Candidate
    from ._runtime import Runtime
    from ._stream import Stream

_log = logging.getLogger("peerloom.plugins")


@frozen
class Foundation:
    """What a node stands on besides its runtime; a simulated network has its own.

    Attributes:
        securities: makes each security channel, by its name in the configuration.
        tcp: makes the transport for TCP.
        bind_udp: makes the sockets for QUIC.
        installed: finds the installed plugins.
    """

    securities: Mapping[str, Callable[[KeyPair, Runtime, Sequence[str]], SecurityProtocol]] = field(
        factory=lambda: {"tls": Tls, "noise": Noise}
    )
    tcp: Callable[[], Transport] = TcpTransport
    bind_udp: Callable[[AddressFamily, str, int], UdpSocket] = UdpSocket.bind
    installed: Callable[[], Sequence[Candidate]] = installed_candidates


def build_swarm(  # noqa: PLR0913, PLR0917 - a node's parts, each once
    identity: KeyPair,
    config: NetworkConfig,
    foundation: Foundation,
    runtime: Runtime,
    loop: EventLoop,
    offer: Callable[[str, InboundProtocol, Stream], bool],
    find_peer: Callable[[PeerId], Awaitable[Sequence[Multiaddr]]],
) -> Swarm:
    """A swarm that tells the loop what happens, and does nothing yet."""
    settings = YamuxSettings(max_inbound_streams=config.limits.streams_per_connection)
    unread = UnreadLedger(config.limits.unread_bytes, runtime.now)
    muxers = [Yamux(runtime, settings, unread)]
    names = [muxer.protocol_id for muxer in muxers]
    securities = [foundation.securities[name](identity, runtime, names) for name in config.security]
    around = Surroundings(loop.swarm_events, loop.announce, offer)
    around.find_peer = find_peer
    around.unread = unread
    around.part_failed = loop.part_failed
    return Swarm(identity.peer_id, Upgrader(securities, muxers), around, runtime, config)


def load_inventory(
    swarm: Swarm,
    config: NetworkConfig,
    foundation: Foundation,
    given: Sequence[object],
    status: Callable[[], Mapping[str, Any]],
) -> Inventory:
    """Core's plugins, those given, and those installed, as the configuration chooses."""
    core = [SwarmPlugin(swarm, status, foundation.tcp, foundation.bind_udp), *core_plugins(config)]
    candidates = [given_candidate(plugin, "peerloom") for plugin in core]
    candidates += [given_candidate(plugin) for plugin in given]
    candidates += foundation.installed()
    selection = select_plugins(
        [candidate.name for candidate in candidates],
        config.plugins,
        core=CORE_PLUGINS,
    )
    for name, advice in selection.unknown.items():
        _log.warning("plugins: %s is disabled, but there is no such plugin; %s", name, advice)
    return load_plugins(candidates, selection.left_out, reserved_sections())
