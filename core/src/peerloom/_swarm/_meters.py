"""Meters: what the swarm counts for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom._events import (
    IncomingConnectionFailed,
    OutgoingConnectionFailed,
    PeerConnected,
    PeerDisconnected,
    PluginFailed,
    SlowHandler,
)

if TYPE_CHECKING:
    from peerloom._unread import UnreadLedger
    from peerloom.plugin import EventHandler, PluginContext


class Meters:
    """Hears the swarm's events and counts them, by cause, role and security channel."""

    def __init__(self, ctx: PluginContext) -> None:
        counter, gauge = ctx.metrics.counter, ctx.metrics.gauge
        self._connections = ctx.connections
        self._open = gauge("connections", "connections that stand")
        self._opened = counter(
            "connections_opened_total", "connections established", ("role", "security")
        )
        self._closed = counter("connections_closed_total", "connections ended", ("intended",))
        self._dials_failed = counter("dials_failed_total", "dials without a connection")
        self._addresses_failed = counter(
            "addresses_failed_total", "addresses dialled in vain", ("cause",)
        )
        self._accepts_failed = counter(
            "accepts_failed_total", "inbound links that came to nothing", ("cause",)
        )
        self._unread = gauge("unread_bytes", "what has arrived and nobody has read")
        self._streams_reset = counter(
            "streams_reset_total", "streams that this node reset for its own good", ("cause",)
        )
        self._plugin_failures = counter("plugin_failures_total", "what raised", ("plugin",))
        self._slow_handlers = counter(
            "slow_handlers_total", "handlers that held the loop", ("plugin",)
        )

    def handlers(self) -> list[EventHandler]:
        """For `peerloom_event_handlers`."""
        return [
            PeerConnected.heard_by(self._on_connected),
            PeerDisconnected.heard_by(self._on_disconnected),
            OutgoingConnectionFailed.heard_by(self._on_dial_failed),
            IncomingConnectionFailed.heard_by(self._on_accept_failed),
            PluginFailed.heard_by(self._on_plugin_failed),
            SlowHandler.heard_by(self._on_slow_handler),
        ]

    def count_unread(self, ledger: UnreadLedger) -> None:
        """Take over what stands in the ledger."""
        self._unread.set(ledger.total)
        known = self._streams_reset.value(cause="unread_bytes")
        self._streams_reset.inc(ledger.streams_reset - known, cause="unread_bytes")

    def _on_connected(self, event: PeerConnected) -> None:
        info = event.connection
        self._open.set(len(self._connections()))
        self._opened.inc(role=info.role.value, security=info.security or "transport")

    def _on_disconnected(self, event: PeerDisconnected) -> None:
        self._open.set(len(self._connections()))
        self._closed.inc(intended=str(event.intended).lower())

    def _on_dial_failed(self, event: OutgoingConnectionFailed) -> None:
        self._dials_failed.inc()
        for _, cause in event.attempts:
            self._addresses_failed.inc(cause=type(cause).__name__)

    def _on_accept_failed(self, event: IncomingConnectionFailed) -> None:
        self._accepts_failed.inc(cause=type(event.cause).__name__)

    def _on_plugin_failed(self, event: PluginFailed) -> None:
        self._plugin_failures.inc(plugin=event.plugin)

    def _on_slow_handler(self, event: SlowHandler) -> None:
        self._slow_handlers.inc(plugin=event.plugin)
