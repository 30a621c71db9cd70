"""RestartPolicy: when a plugin that failed is built anew, and when it has had its chances."""

from __future__ import annotations

from typing import Final

LONGEST_WAIT_SECONDS: Final = 60.0
WINDOW_SECONDS: Final = 600.0
FAILURES_TO_STOP: Final = 5  # within the window


class RestartPolicy:
    """1, 2, 4 … 60 s; the fifth failure within ten minutes is the last. Pure."""

    def __init__(self) -> None:
        self._failures: list[float] = []
        self._next_wait = 1.0

    def failed(self, now: float) -> float | None:
        """Note a failure; gives the seconds to wait, or None for good."""
        self._failures = [time for time in self._failures if now - time < WINDOW_SECONDS]
        if not self._failures:
            self._next_wait = 1.0
        self._failures.append(now)
        if len(self._failures) >= FAILURES_TO_STOP:
            return None
        wait = min(LONGEST_WAIT_SECONDS, self._next_wait)
        self._next_wait = 2 * wait
        return wait
