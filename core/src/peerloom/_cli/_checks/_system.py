"""The clock, and how many files may be open."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from peerloom._runtime import SystemRuntime

from ._check import Check

if TYPE_CHECKING:
    from peerloom._config import Limits

SPARE_DESCRIPTORS: Final = 64  # Python's own, listeners, the store, dials' lookups of names
LATEST_YEAR: Final = 2100  # whoever runs this then may mend it
_CLOCK: Final = "clock"
_FILES: Final = "open files"
_SET_IT: Final = "set it, best by NTP: records and certificates of others would look outdated"


def check_clock(now: float | None = None) -> Check:
    """Whether the clock can be right; by how much it is wrong only other machines could say."""
    now = SystemRuntime().wall_time() if now is None else now
    installed = Path(__file__).stat().st_mtime
    time = datetime.fromtimestamp(now, UTC)
    if now < installed:
        earlier = f"{time:%Y-%m-%d %H:%M} UTC is before peerloom was installed"
        return Check.failed(_CLOCK, earlier, _SET_IT)
    if time.year >= LATEST_YEAR:
        return Check.failed(_CLOCK, f"{time:%Y-%m-%d} is far in the future", _SET_IT)
    return Check.ok(
        _CLOCK, f"{time:%Y-%m-%d %H:%M} UTC, after the installation; nobody else was asked"
    )


def check_descriptors(limits: Limits, allowed: tuple[int, int] | None = None) -> Check:
    """Whether as many files may be open as the configured connections need."""
    soft, hard = allowed or resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.total + limits.pending_in + limits.pending_out + SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        may = "any number" if soft == resource.RLIM_INFINITY else f"{soft:,}"
        return Check.ok(_FILES, f"{may} may be, {wanted:,} are the most that a node needs")
    found = f"{soft:,} may be, but {limits.total:,} connections over TCP need up to {wanted:,}"
    if soft <= SPARE_DESCRIPTORS:
        return Check.failed(_FILES, found, _remedy(wanted, hard))
    return Check.warning(_FILES, found, _remedy(wanted, hard))


def _remedy(wanted: int, hard: int) -> str:
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return f"ulimit -n {wanted} before the node starts (LimitNOFILE={wanted} for systemd)"
    return f"raise the hard limit, {hard:,} now (limits.conf, LimitNOFILE), or lower limits.total"
