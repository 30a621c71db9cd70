"""Coalescing: what may wait a little is done together, so that an idle node sleeps on between.

Each time that a process wakes it finds its memory gone from the processor's caches: a thousand
idle connections cost three times as much when each is looked after by itself.
"""

from __future__ import annotations

from math import ceil


def coalesced(time: float, grain_seconds: float) -> float:
    """The next multiple of the grain, not before that time."""
    return max(time, ceil(time / grain_seconds) * grain_seconds)
