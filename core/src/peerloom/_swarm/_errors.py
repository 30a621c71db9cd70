"""Why the swarm itself refuses a dial or a connection."""

from __future__ import annotations

from peerloom._errors import PeerloomError


class ConnectionLimitReached(PeerloomError):
    """One more connection would pass a limit of the configuration, which the text names."""


class Refused(PeerloomError):
    """A dial or a connection is not wanted: by a plugin's gate, or because it leads to itself."""
