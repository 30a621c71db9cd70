"""What can go wrong."""

from __future__ import annotations

from peerloom import PeerloomError


class CounterRefused(PeerloomError):
    """The peer has not counted; the message is its reason."""
