"""Meters: the figures of `status`, for Prometheus."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerloom.plugin import PluginMetrics

_GAUGES: Final = {
    "peers": "connected peers that speak gossipsub",
    "unfinished_bytes": "what has arrived of frames that are not whole",
    "pending_bytes": "messages that wait to be verified, judged or read",
    "unread_messages": "messages that wait for a subscriber of the application",
    "waiting_bytes": "what waits to be sent",
}


class Meters:
    """Follows the figures from heartbeat to heartbeat."""

    def __init__(self, metrics: PluginMetrics) -> None:
        causes = "what was ignored, refused, dropped or left out"
        self._counts = metrics.counter("counts", causes, ["cause"])
        self._meshes = metrics.gauge("mesh_peers", "peers of the mesh of a topic", ["topic"])
        self._gauges = {name: metrics.gauge(name, text) for name, text in _GAUGES.items()}
        self._told: Counter[str] = Counter()
        self._topics: Mapping[str, int] = {}

    def follow(self, figures: Mapping[str, Any]) -> None:
        """Show this from now on."""
        for name, gauge in self._gauges.items():
            gauge.set(figures[name])
        counts = Counter[str](figures["counts"])
        for cause, more in (counts - self._told).items():
            self._counts.inc(more, cause=cause)
        self._told = counts
        sizes = figures["meshes"]
        for topic, size in (dict.fromkeys(self._topics, 0) | dict(sizes)).items():
            self._meshes.set(size, topic=topic)
        self._topics = sizes
