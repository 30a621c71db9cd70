"""Settings of the section ``counter``."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import and_, ge, le, lt


@frozen
class CounterConfig:
    """How far this node counts for others.

    Attributes:
        max_value: an increment beyond this is refused.
        max_names: so many numbers are kept, 16,384 at most; further names are refused.
    """

    max_value: int = field(default=1_000_000_000, validator=and_(ge(1), lt(2**64)))
    max_names: int = field(default=1_024, validator=and_(ge(1), le(16_384)))
