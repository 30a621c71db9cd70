"""Why a yamux link ended, in the words of its error; None where it was in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom._errors import LinkClosed, PeerloomError, RecordError, describe

from ._yamux_frames import GO_AWAY_INTERNAL_ERROR, GO_AWAY_PROTOCOL_ERROR

if TYPE_CHECKING:
    from peerloom._links import RecordLayer

_REASONS = {
    GO_AWAY_PROTOCOL_ERROR: "it says that this side broke the protocol",
    GO_AWAY_INTERNAL_ERROR: "it had an internal error",
}


def cause_of_eof(records: RecordLayer, *, inside_frame: bool) -> PeerloomError | None:
    """The other side has ended the pipe."""
    try:
        records.end_of_input()
    except RecordError as error:
        return error
    if inside_frame:
        return LinkClosed("the other side ended the pipe inside a frame")
    return None


def cause_of_go_away(reason: int | None) -> PeerloomError | None:
    """The other side has announced the end."""
    if not reason:
        return None
    text = _REASONS.get(reason, f"reason {reason}")
    return LinkClosed(f"the other side ended the link: {text}")


def cause_of_break(error: Exception) -> LinkClosed:
    """The pipe has broken."""
    closed = LinkClosed(f"the pipe broke: {describe(error)}")
    closed.__cause__ = error
    return closed
