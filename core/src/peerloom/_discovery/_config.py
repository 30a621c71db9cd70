"""Settings of the section ``discovery``."""

from __future__ import annotations

from attrs import field, frozen

from peerloom._config import at_least, whole_at_least

from ._address_book import MAX_PEERS


@frozen
class DiscoveryConfig:
    """Which of the peers that are found this node connects to, holds and remembers.

    Attributes:
        dial_discovered: connect to peers as soon as a discovery mechanism finds them.
        hold_discovered: connections to discovered peers that are held although nothing uses
            them; the freshest ones.
        remember_peers: peers that are remembered over restarts; 0 remembers none.
        remember_seconds: how long they are remembered.
        dial_remembered: how many of them are dialled at start, those seen last first.
    """

    dial_discovered: bool = True
    hold_discovered: int = field(default=32, validator=whole_at_least(0))
    remember_peers: int = field(default=MAX_PEERS, validator=whole_at_least(0))
    remember_seconds: float = field(default=86_400.0, validator=at_least(0))
    dial_remembered: int = field(default=32, validator=whole_at_least(0))
