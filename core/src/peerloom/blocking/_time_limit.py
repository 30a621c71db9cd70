"""TimeLimit: how long a caller waits, and what it says when that has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen
class TimeLimit:
    """The bound of one call.

    Attributes:
        seconds: how long it may take.
        function: what is called, to be named when it has taken longer.
    """

    seconds: float
    function: Callable[..., Any]

    def error(self) -> TimeoutError:
        """What is raised when they have passed."""
        return TimeoutError(
            f"{_name_of(self.function)} took longer than the {self.seconds:g} s that timeout= "
            "allows, and was cancelled: allow more, or leave timeout away to wait without end"
        )


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", repr(function))
    owner = getattr(function, "__self__", None)
    if owner is None:
        return f"{name}()"
    return f"the next item of {owner!r}" if name == "__anext__" else f"{name}() of {owner!r}"
