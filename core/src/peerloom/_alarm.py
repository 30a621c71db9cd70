"""Alarm: one timer that is set anew whenever a state machine's next deadline has changed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ._errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom.plugin import PluginContext, Timer


class Alarm:
    """Calls back at one time, in the loop's turn."""

    def __init__(self, ctx: PluginContext, callback: Callable[[], object]) -> None:
        self._ctx = ctx
        self._callback = callback
        self._timer: Timer | None = None
        self._deadline: float | None = None

    def set(self, deadline: float | None) -> None:
        """Call back then, and at no other time; None: not at all."""
        if deadline == self._deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._deadline = None, deadline
        if deadline is not None:
            with suppress(PluginError):  # a task that ends while the plugin stops: no more timers
                self._timer = self._ctx.wake_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = self._deadline = None
        self._callback()
