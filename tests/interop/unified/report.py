"""The reports: YAML with the fields that the suite's scripts look for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GBPS: Final = "Gbps"
MILLISECONDS: Final = "ms"
_FENCE: Final = 1.5  # interquartile ranges beyond which a sample is an outlier


def latency_report(handshake_plus_one_rtt: float, ping_rtt: float) -> str:
    """That of a transport test, of milliseconds."""
    return "\n".join(
        [
            "latency:",
            f"  handshake_plus_one_rtt: {handshake_plus_one_rtt:.3f}",
            f"  ping_rtt: {ping_rtt:.3f}",
            f"  unit: {MILLISECONDS}",
        ]
    )


def perf_report(*sections: tuple[str, Sequence[float], str]) -> str:
    """That of a perf test: sections with their samples and unit."""
    return "\n".join(line for section in sections for line in _section(*section))


def _section(name: str, samples: Sequence[float], unit: str) -> list[str]:
    ordered = sorted(samples)
    q1, median, q3 = (percentile(ordered, part) for part in (0.25, 0.5, 0.75))
    low, high = q1 - _FENCE * (q3 - q1), q3 + _FENCE * (q3 - q1)
    inside = [each for each in ordered if low <= each <= high]
    return [
        f"{name}:",
        f"  iterations: {len(samples)}",
        f"  min: {inside[0]:.3f}",
        f"  q1: {q1:.3f}",
        f"  median: {median:.3f}",
        f"  q3: {q3:.3f}",
        f"  max: {inside[-1]:.3f}",
        f"  outliers: {_list(each for each in ordered if not low <= each <= high)}",
        f"  samples: {_list(ordered)}",
        f"  unit: {unit}",
    ]


def percentile(ordered: Sequence[float], part: float) -> float:
    """Between the two samples around it, in proportion, as the suite's own programs have it."""
    place = part * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def _list(values: Iterable[float]) -> str:
    return f"[{', '.join(f'{each:.3f}' for each in values)}]"
