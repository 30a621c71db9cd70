"""What a plugin author needs: `from peerloom.plugin import hookimpl, PluginInfo, ...`.

A plugin is an object with an attribute `info` and methods marked `@hookimpl`, named by an entry
point of the group ``peerloom.plugins`` whose name is the plugin's::

    class PingPlugin:
        info = PluginInfo("ping")

        @hookimpl
        def peerloom_setup(self, ctx: PluginContext) -> None: ...

The hooks and what they are for stand in `peerloom.plugin.Hooks`. A `Transport` gives a `RawLink`,
which the swarm secures and muxes, or does that itself and gives a `MuxedLink`. What applications
and plugins both use (errors, keys, `Stream`) is in `peerloom`.
"""

from ._behaviour import Behaviour, GateStage, InboundProtocol, SwarmApi
from ._calls import Call, IncomingStream
from ._commands import (
    AddExternalAddress,
    AddPeerAddresses,
    Command,
    Connections,
    Dial,
    DialCondition,
    Disconnect,
    FindPeer,
    ListenOn,
    OpenStream,
    Perf,
    PerfResult,
    Ping,
    Protect,
    RemoveExternalAddress,
    Status,
    StopListening,
    Unprotect,
)
from ._config import ConfigSection, at_least, whole_at_least
from ._context import PluginContext
from ._dispatch import CommandHandler, EventHandler, Handler, Reply
from ._endpoint import ConnectionInfo
from ._events import (
    Dialing,
    Event,
    ExternalAddressCandidate,
    ExternalAddressConfirmed,
    ExternalAddressExpired,
    IncomingConnectionFailed,
    ListenAddressExpired,
    ListenerClosed,
    ListenerFailed,
    ListeningOn,
    NodeStarted,
    OutgoingConnectionFailed,
    PeerConnected,
    PeerDisconnected,
    PluginFailed,
    ProtocolsChanged,
    SlowHandler,
    StoreFailed,
)
from ._hookspecs import API_LEVEL, Hooks, PluginInfo, hookimpl
from ._libp2p import PeerRecord, open_peer_record
from ._links import (
    DialOptions,
    EagerPipe,
    IncomingLink,
    LinkLimits,
    Listener,
    MuxedLink,
    MuxedStream,
    PendingLink,
    RawLink,
    Role,
    Transport,
)
from ._metrics import Counter, Gauge, PluginMetrics
from ._peer_id import PeerId
from ._runtime import Runtime
from ._shared_events import (
    CircuitOpened,
    IdentifyFailed,
    IdentifyReceived,
    PeerDiscovered,
    PeerRoles,
    PingFailed,
    PingSucceeded,
    ReachabilityChanged,
    ReservationAccepted,
    ReservationLost,
    TopicJoined,
    TopicLeft,
)
from ._store import StoreNamespace
from ._timers import Timer

__all__ = [
    "API_LEVEL",
    "AddExternalAddress",
    "AddPeerAddresses",
    "Behaviour",
    "Call",
    "CircuitOpened",
    "Command",
    "CommandHandler",
    "ConfigSection",
    "ConnectionInfo",
    "Connections",
    "Counter",
    "Dial",
    "DialCondition",
    "DialOptions",
    "Dialing",
    "Disconnect",
    "EagerPipe",
    "Event",
    "EventHandler",
    "ExternalAddressCandidate",
    "ExternalAddressConfirmed",
    "ExternalAddressExpired",
    "FindPeer",
    "GateStage",
    "Gauge",
    "Handler",
    "Hooks",
    "IdentifyFailed",
    "IdentifyReceived",
    "InboundProtocol",
    "IncomingConnectionFailed",
    "IncomingLink",
    "IncomingStream",
    "LinkLimits",
    "ListenAddressExpired",
    "ListenOn",
    "Listener",
    "ListenerClosed",
    "ListenerFailed",
    "ListeningOn",
    "MuxedLink",
    "MuxedStream",
    "NodeStarted",
    "OpenStream",
    "OutgoingConnectionFailed",
    "PeerConnected",
    "PeerDisconnected",
    "PeerDiscovered",
    "PeerId",
    "PeerRecord",
    "PeerRoles",
    "PendingLink",
    "Perf",
    "PerfResult",
    "Ping",
    "PingFailed",
    "PingSucceeded",
    "PluginContext",
    "PluginFailed",
    "PluginInfo",
    "PluginMetrics",
    "Protect",
    "ProtocolsChanged",
    "RawLink",
    "ReachabilityChanged",
    "RemoveExternalAddress",
    "Reply",
    "ReservationAccepted",
    "ReservationLost",
    "Role",
    "Runtime",
    "SlowHandler",
    "Status",
    "StopListening",
    "StoreFailed",
    "StoreNamespace",
    "SwarmApi",
    "Timer",
    "TopicJoined",
    "TopicLeft",
    "Transport",
    "Unprotect",
    "at_least",
    "hookimpl",
    "open_peer_record",
    "whole_at_least",
]
