"""Discovery: addresses, roles and reachability, boot nodes, and the peers of earlier runs."""

from ._config import DiscoveryConfig
from ._plugin import DiscoveryPlugin

__all__ = ["DiscoveryConfig", "DiscoveryPlugin"]
