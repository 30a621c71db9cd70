"""Core's own plugins: those that every node has unless they are disabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._config import NetworkConfig

SWARM: Final = "swarm"  # needs the swarm itself: made where the node is put together
CORE_PLUGINS: Final = ("discovery", "identify", "perf", "ping", SWARM)


def core_plugins(config: NetworkConfig) -> list[Any]:
    """Core's plugins for a node, all but ``swarm``; importing them is what costs here."""
    from ._discovery import DiscoveryPlugin  # noqa: PLC0415
    from ._meta import IdentifyPlugin, PerfPlugin, PingPlugin  # noqa: PLC0415

    return [
        DiscoveryPlugin(config.boot_nodes()),
        IdentifyPlugin(agent=config.agent, protocol_version=config.protocol_version),
        PingPlugin(),
        PerfPlugin(),
    ]
