"""What the plugin can be asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen
from attrs.validators import and_, ge, lt

from peerloom.plugin import Command

if TYPE_CHECKING:
    from peerloom import PeerId


@frozen
class Increment(Command[int]):
    """Have a peer add to one of its numbers; answers with the new value.

    Attributes:
        peer: who counts.
        name: which of its numbers.
        by: how much to add, 1 or more.
    """

    timeout_seconds: ClassVar[float] = 10.0

    peer: PeerId
    name: str
    by: int = field(default=1, validator=and_(ge(1), lt(2**64)))


@frozen
class Value(Command[int]):
    """Ask a peer for one of its numbers; answers with 0 when nobody has counted yet.

    Attributes:
        peer: who counts.
        name: which of its numbers.
    """

    timeout_seconds: ClassVar[float] = 10.0

    peer: PeerId
    name: str
