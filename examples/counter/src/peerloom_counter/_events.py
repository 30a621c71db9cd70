"""What the plugin tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from peerloom.plugin import Event

if TYPE_CHECKING:
    from peerloom import PeerId


@frozen
class CounterChanged(Event):
    """A number of this node has changed because a peer asked.

    Attributes:
        name: which number.
        value: what it is now.
        by_peer: who asked.
    """

    name: str
    value: int
    by_peer: PeerId
