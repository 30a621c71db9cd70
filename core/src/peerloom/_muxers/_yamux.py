"""Yamux: makes yamux links, for the swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peerloom._links import Role
from peerloom._unread import UnreadLedger

from ._yamux_link import PROTOCOL_ID, YamuxLink
from ._yamux_session import YamuxSession
from ._yamux_settings import YamuxSettings
from ._yamux_window import WindowBudget

if TYPE_CHECKING:
    from peerloom._links import RawLink, Secured
    from peerloom._runtime import Runtime

_FREED_BYTES: Final = 8 * 1024 * 1024


class Yamux:
    """The muxer `/yamux/1.0.0` of one node."""

    protocol_id = PROTOCOL_ID

    def __init__(
        self,
        runtime: Runtime,
        settings: YamuxSettings | None = None,
        ledger: UnreadLedger | None = None,
    ) -> None:
        _let_the_allocator_keep_pages()
        self._runtime = runtime
        self._settings = settings or YamuxSettings()
        self._ledger = ledger or UnreadLedger()

    def upgrade(self, secured: Secured, raw: RawLink, role: Role) -> YamuxLink:
        """A link over the secured pipe; its `run` moves the bytes."""
        settings, ledger = self._settings, self._ledger
        session = YamuxSession(
            dialer=role is Role.DIALER,
            settings=settings,
            now=self._runtime.now(),
            budget=WindowBudget(settings.max_window_growth_bytes, ledger),
        )
        return YamuxLink(
            secured, raw, session, runtime=self._runtime, settings=settings, ledger=ledger
        )


def _let_the_allocator_keep_pages() -> None:
    """Free one large block, so that glibc holds on to the pages that reads and writes use again.

    It gives back to the kernel what lies unused at the heap's end beyond twice the largest block
    ever freed, and never keeps blocks that are larger (mallopt(3), M_TRIM_THRESHOLD). Without this
    a bulk sender faulted the pages of its 256 KiB buffers in anew at every write: two thirds of its
    time, in some processes and not in others. With blocks of 2 or 4 MiB a receiver of a hundred
    streams, of which much waits for its readers now and then, still spent a tenth on that. The
    price is at most twice the block in unused memory.
    """
    bytes(_FREED_BYTES)
