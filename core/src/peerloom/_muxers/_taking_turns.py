"""TakingTurns: streams whose calls need not wait, and that let the others go on all the same."""

from __future__ import annotations

from typing import Final

from peerloom._links import MuxedStream

CALLS_A_TURN: Final = 16
# Of a link's reader or writer: a read of records with a byte each is a tenth of a second of work,
# and the system takes what a hundred streams hold without a wait, tens of milliseconds of it.
TURN_SECONDS: Final = 0.002


class TakingTurns(MuxedStream):
    """Calls that find what they need do not suspend; after so many it is the others' turn."""

    _calls = 0

    def _turn_is_over(self) -> bool:
        self._calls += 1
        return self._calls % CALLS_A_TURN == 0
