"""The plugin ``discovery``: feeds events to the pure parts, and dials whom they name."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from peerloom._addresses import ip_of, is_loopback, split_peer
from peerloom._alarm import Alarm
from peerloom._commands import AddPeerAddresses, Protect, Unprotect
from peerloom._config import ConfigSection
from peerloom._errors import CommandError, PeerloomError
from peerloom._events import (
    ExternalAddressConfirmed,
    ExternalAddressExpired,
    NodeStarted,
    OutgoingConnectionFailed,
    PeerConnected,
    PeerDisconnected,
)
from peerloom._hookspecs import PluginInfo, hookimpl
from peerloom._links import Role
from peerloom._peer_id import PeerId, check_peer
from peerloom._shared_events import (
    IdentifyReceived,
    PeerDiscovered,
    PeerRoles,
    ReachabilityChanged,
)
from peerloom._swarm import Refused

from ._behaviour import DiscoveryBehaviour
from ._config import DiscoveryConfig
from ._peer_cache import PeerCache
from ._redial import BootRounds, Persistence, Wishes
from ._state import DiscoveryState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from multiaddr import Multiaddr

    from peerloom._behaviour import Behaviour
    from peerloom._context import PluginContext
    from peerloom._dispatch import CommandHandler, EventHandler

MAX_PROTECTED: Final = 1024  # peers named by the application: a quarter of the address book
CACHE_NAMESPACE: Final = "peer-cache"
BOOTSTRAP: Final = "bootstrap"  # the source that `PeerDiscovered` names for boot nodes
START_SECONDS: Final = 1.0  # boot nodes do not wait longer for a plugin that is slow to start
_OUR_OWN_TROUBLE: Final = frozenset(  # says nothing about the address
    {
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
    }
)


class DiscoveryPlugin:
    """Keeps the address book, roles and reachability; dials boot, protected and found peers.

    Args:
        boot_nodes: each boot node's id and an address of it, without the id.
    """

    info = PluginInfo("discovery")

    def __init__(self, boot_nodes: Iterable[tuple[PeerId, Multiaddr]] = ()) -> None:
        self._boot: dict[PeerId, tuple[Multiaddr, ...]] = {}
        for peer, address in boot_nodes:
            self._boot[peer] = (*self._boot.get(peer, ()), address)
        # These outlive a plugin that has to be built anew.
        self._protected: dict[PeerId, None] = {}  # in order: it decides who is dialled first
        self._node_started = False

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """The section ``discovery``."""
        summary = "Which peers this node connects to, holds and remembers."
        return [ConfigSection("discovery", DiscoveryConfig, summary)]

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        """Build the state from what the node knows by now."""
        config: DiscoveryConfig = ctx.config
        self._ctx = ctx
        self._config = config
        self._boot.pop(ctx.local_peer, None)
        self._state = DiscoveryState((*self._boot, *self._protected), config.hold_discovered)
        self._cache = PeerCache(config.remember_peers, config.remember_seconds)
        self._boots = BootRounds(self._boot, ctx.runtime.random.random)
        self._wishes = Wishes(ctx.runtime.random.random)
        self._alarm = Alarm(ctx, self._dial_due)
        self._load_cache()
        for connection in ctx.connections():
            self._state.connected(connection, len(ctx.connections(connection.peer)))
        delay = 0.0 if self._node_started else START_SECONDS
        self._start_timer = ctx.wake_at(ctx.runtime.now() + delay, self._start)

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:  # noqa: ARG002
        """No protocol; addresses, and connections that are held."""
        return [DiscoveryBehaviour(self._addresses_of, self._holds)]

    @hookimpl
    def peerloom_event_handlers(self, ctx: PluginContext) -> list[EventHandler]:  # noqa: ARG002
        """All that tells of peers and of this node's own addresses."""
        return [
            NodeStarted.heard_by(self._on_node_started),
            PeerConnected.heard_by(self._on_connected),
            PeerDisconnected.heard_by(self._on_disconnected),
            OutgoingConnectionFailed.heard_by(self._on_dial_failed),
            IdentifyReceived.heard_by(self._on_identified),
            PeerDiscovered.heard_by(self._on_discovered),
            ExternalAddressConfirmed.heard_by(self._on_external_address),
            ExternalAddressExpired.heard_by(self._on_external_address),
        ]

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:  # noqa: ARG002
        """The commands on peers."""
        return [
            AddPeerAddresses.handled_by(self._add_peer_addresses),
            Protect.handled_by(self._protect),
            Unprotect.handled_by(self._unprotect),
        ]

    @hookimpl
    def peerloom_status(self, ctx: PluginContext) -> Mapping[str, Any]:  # noqa: ARG002
        """How much is known, whether others reach this node, and who is connected."""
        return {
            "peers_known": len(self._state),
            "addresses_known": self._state.count_addresses(),
            "peers_remembered": len(self._cache),
            "peers_wanted": len(self._wishes),
            "peers_protected": len(self._protected),
            "boot_nodes": len(self._boot),
            "boot_nodes_connected": self._boots.connected,
            "publicly_reachable": self._state.public,
            "connected": {
                str(peer): {
                    "roles": sorted(facts.roles),
                    "found_by": sorted(facts.sources),
                    "protocols": sorted(facts.protocols),
                    "addresses": [str(address) for address in facts.addresses],
                }
                for peer, facts in self._state.connected_peers()
            },
        }

    def _on_node_started(self, _: NodeStarted) -> None:
        self._node_started = True
        if self._start_timer.active:
            self._start_timer.cancel()
            self._start()

    def _start(self) -> None:
        now = self._ctx.runtime.now()
        self._on_external_address(None)
        for connection in self._ctx.connections():
            self._boots.on_connected(connection.peer, now)
        for peer, addresses in self._boot.items():
            self._ctx.emit(PeerDiscovered(peer, addresses, BOOTSTRAP))
        for peer in self._protected:
            self._wish(peer, Persistence.ENDLESS)
        for peer in self._cache.freshest(self._config.dial_remembered):
            if peer != self._ctx.local_peer:
                self._wish(peer, Persistence.ONCE)
        self._boots.start(now)
        self._dial_due()

    def _on_connected(self, event: PeerConnected) -> None:
        connection, now = event.connection, self._ctx.runtime.now()
        self._state.connected(connection, event.established)
        self._boots.on_connected(event.peer, now)
        self._wishes.on_connected(event.peer, now)
        dialled = connection.role is Role.DIALER
        self._remember(event.peer, [connection.remote_address] if dialled else [])
        self._rearm()

    def _on_disconnected(self, event: PeerDisconnected) -> None:
        self._state.disconnected(event.peer, event.remaining)
        if event.remaining:
            return
        now = self._ctx.runtime.now()
        self._boots.on_lost(event.peer, now)
        if event.intended:
            self._wishes.on_given_up(event.peer, now)
        else:
            self._wishes.on_lost(event.peer, now)
        self._remember(event.peer)
        self._rearm()

    def _on_dial_failed(self, event: OutgoingConnectionFailed) -> None:
        if event.peer is not None:
            blamed = (address for address, cause in event.attempts if _blames_address(cause))
            self._state.dial_failed(event.peer, blamed)

    def _on_identified(self, event: IdentifyReceived) -> None:
        roles = self._state.identified(
            event.peer,
            event.protocols,
            event.listen_addresses,
            allow_loopback=self._is_local(event.peer, event.connection_id),
            certified=event.signed_record is not None,
        )
        if roles is not None:
            self._ctx.emit(PeerRoles(event.peer, roles))
        self._remember(event.peer)

    def _on_discovered(self, event: PeerDiscovered) -> None:
        if event.peer == self._ctx.local_peer or event.source == BOOTSTRAP:
            return
        listening = self._ctx.swarm.listen_addresses()
        self._state.discovered(
            event.peer,
            event.addresses,
            event.source,
            self._ctx.runtime.now(),
            allow_loopback=all(is_loopback(address) for _, address in listening),
        )
        if self._config.dial_discovered:
            self._wish(event.peer, Persistence.PATIENT)
            self._rearm()

    def _on_external_address(self, _: object) -> None:
        public = self._state.external_addresses(self._ctx.swarm.external_addresses())
        if public is not None:
            self._ctx.emit(ReachabilityChanged(public))

    def _add_peer_addresses(self, command: AddPeerAddresses) -> None:
        check_peer(command.peer)
        for address in command.addresses:
            if split_peer(address)[1] not in {None, command.peer}:
                raise CommandError(f"{address} is an address of another peer than {command.peer}")
        self._state.add_addresses(command.peer, command.addresses)

    def _protect(self, command: Protect) -> None:
        if len(self._protected) >= MAX_PROTECTED and command.peer not in self._protected:
            raise CommandError(f"{MAX_PROTECTED} peers are protected: unprotect some first")
        self._ctx.swarm.protect(command.peer)
        self._protected[command.peer] = None
        self._state.keep(command.peer)
        self._wish(command.peer, Persistence.ENDLESS)
        self._rearm()

    def _unprotect(self, command: Unprotect) -> bool:
        self._protected.pop(command.peer, None)
        self._wishes.drop(command.peer)
        if command.peer not in self._boot:
            self._state.unkeep(command.peer)
        self._rearm()
        return self._ctx.swarm.unprotect(command.peer)

    def _addresses_of(self, peer: PeerId) -> tuple[Multiaddr, ...]:
        known = dict.fromkeys((*self._state.addresses_of(peer), *self._boot.get(peer, ())))
        return tuple(known) or self._cache.addresses(peer)

    def _holds(self, peer: PeerId) -> bool:
        return peer in self._boot or peer in self._state.held()

    def _wish(self, peer: PeerId, persistence: Persistence) -> None:
        self._wishes.add(
            peer,
            persistence,
            self._ctx.runtime.now(),
            connected=self._state.is_connected(peer),
        )

    def _is_local(self, peer: PeerId, connection_id: int) -> bool:
        for connection in self._ctx.connections(peer):
            if connection.id == connection_id:
                remote = connection.remote_address
                return is_loopback(remote) or ip_of(remote) is None
        return False

    def _dial_due(self) -> None:
        now = self._ctx.runtime.now()
        for peer in (*self._boots.take_due(now), *self._wishes.take_due(now)):
            self._ctx.spawn(self._dial, peer)
        self._rearm()

    async def _dial(self, peer: PeerId) -> None:
        failed = False
        try:
            await self._ctx.dial(peer)
        except PeerloomError:  # `OutgoingConnectionFailed` tells why
            failed = True
        now = self._ctx.runtime.now()
        self._boots.on_dial_ended(peer, now, failed=failed)
        self._wishes.on_dial_ended(peer, now, failed=failed)
        self._rearm()

    def _rearm(self) -> None:
        deadlines = (self._boots.next_deadline(), self._wishes.next_deadline())
        deadline = min((time for time in deadlines if time is not None), default=None)
        self._alarm.set(deadline)

    def _load_cache(self) -> None:
        store = self._ctx.store(CACHE_NAMESPACE)
        for key in self._cache.load(store.items(), self._ctx.runtime.wall_time()):
            store.delete(key)

    def _remember(self, peer: PeerId, addresses: Iterable[Multiaddr] = ()) -> None:
        store = self._ctx.store(CACHE_NAMESPACE)
        found = [split_peer(address)[0] for address in addresses]
        found += self._state.addresses_of(peer)
        for gone in self._cache.see(peer, found, self._ctx.runtime.wall_time()):
            store.delete(str(gone))
        entry = self._cache.encode(peer)
        if entry is not None:
            store.put(str(peer), entry)


def _blames_address(cause: BaseException) -> bool:
    for error in (cause, cause.__cause__):
        if isinstance(error, OSError) and error.errno in _OUR_OWN_TROUBLE:
            return False
    return not isinstance(cause, Refused)
