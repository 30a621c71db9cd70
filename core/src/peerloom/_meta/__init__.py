"""Core's own small protocols, registered through the same hooks as any plugin."""

from __future__ import annotations

from ._identify import IdentifyPlugin
from ._perf import PerfPlugin
from ._ping import PingPlugin

__all__ = ["IdentifyPlugin", "PerfPlugin", "PingPlugin"]
