"""What commands are given: checked where the application gives it."""

from __future__ import annotations

import math
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from peerloom import PeerId

from ._errors import check_topic

if TYPE_CHECKING:
    from attrs import Attribute


def is_topic(_: object, __: object, topic: Any) -> None:
    """Raise TypeError for what is no text, `TopicTooLong` for what peers would not read."""
    if not isinstance(topic, str):
        raise TypeError(f"topic must be text (str), not {topic!r}")
    check_topic(topic)


def as_bytes(data: Any) -> bytes:
    """The bytes of anything that is bytes; raises TypeError."""
    if isinstance(data, bytes):
        return data
    if not isinstance(data, (bytearray, memoryview)):
        advice = ": encode it" if isinstance(data, str) else ""
        raise TypeError(f"data must be bytes, not {type(data).__name__}{advice}")
    return bytes(data)


def as_peer(peer: Any) -> PeerId:
    """A peer id, which may be given as text; raises ValueError for other text, or TypeError."""
    if isinstance(peer, str):
        return PeerId.from_string(peer)
    if not isinstance(peer, PeerId):
        raise TypeError(f"peer must be a PeerId or its text, not {peer!r}")
    return peer


def is_finite(_: object, attribute: Attribute[Any], number: Any) -> None:
    """Raise TypeError for what is no number, ValueError for one without end."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{attribute.name} must be a number, not {number!r}")
    if not math.isfinite(number):
        raise ValueError(f"{attribute.name} must be finite, not {number}")


def is_async(_: object, attribute: Attribute[Any], function: Any) -> None:
    """Raise TypeError unless calling it gives something to await."""
    called = function
    while isinstance(called, partial):
        called = called.func
    if not (iscoroutinefunction(called) or iscoroutinefunction(type(called).__call__)):
        raise TypeError(f"{attribute.name} must be an async function, not {function!r}")
