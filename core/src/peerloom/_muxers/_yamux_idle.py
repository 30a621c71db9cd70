"""When an idle yamux link is looked after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom._coalesce import coalesced

from ._yamux_frames import INITIAL_WINDOW_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._yamux_session import YamuxSession
    from ._yamux_settings import YamuxSettings

# A look may come so much late, as a part of the interval between two.
_SLACK: Final = 1 / 60


async def until_ping_due(
    session: YamuxSession,
    settings: YamuxSettings,
    now: Callable[[], float],
    wake_writer: Callable[[], None],
) -> None:
    """Until all is silent for an interval; sooner only after much data, which a window heeds.

    Whoever hears the other side's pings, or its answers to those of the node, knows that it
    lives: more of them would be half of what a thousand idle connections cost.
    """
    received = session.received_bytes
    while True:
        session.expire(now())
        wake_writer()
        time, interval = now(), settings.ping_interval_seconds
        due_at = session.heard_at + interval
        much = session.received_bytes - received >= INITIAL_WINDOW_BYTES
        if due_at <= time or much:
            return
        await anyio.sleep(coalesced(due_at, interval * _SLACK) - time)
