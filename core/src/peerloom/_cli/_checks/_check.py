"""Check: what came of looking at one thing."""

from __future__ import annotations

from typing import Literal, Self

from attrs import frozen


@frozen
class Check:
    """One result.

    Attributes:
        subject: what was looked at.
        state: whether a node can live with it.
        found: what there is.
        change: what to change, unless all is well.
    """

    subject: str
    state: Literal["ok", "warning", "failed"]
    found: str
    change: str = ""

    @classmethod
    def ok(cls, subject: str, found: str) -> Self:
        """All is well."""
        return cls(subject, "ok", found)

    @classmethod
    def warning(cls, subject: str, found: str, change: str) -> Self:
        """A node runs, but less well than it could."""
        return cls(subject, "warning", found, change)

    @classmethod
    def failed(cls, subject: str, found: str, change: str) -> Self:
        """A node, or a part of it, does not run."""
        return cls(subject, "failed", found, change)
